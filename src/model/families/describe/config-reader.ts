import { LayerpruneError, UsageError } from '../../../base/errors.js'
import { isObject } from '../../../base/is-object.js'
import { nameOption } from '../../../base/name-option.js'
import { adviseOnConfig, CONFIG_FILE } from '../../../files/checkpoint/config-file.js'

/** Limits on the counts of a config, from the checkpoint's files. */
export interface CountLimits {
  /** Length of the longest axis of any tensor. */
  longestAxis: number
  tensors: number
}

/**
 * Reads the keys of a config by name and type and remembers which were read, so that a key that was never
 * read can be refused instead of ignored. A key that is absent or null has the family's default.
 */
export class ConfigReader {
  readonly #values: Record<string, unknown>
  readonly #limits: CountLimits
  readonly #path: string
  readonly #file: string
  readonly #read = new Set<string>()

  /**
   * @param file how messages name the file: config.json or a GGUF file
   * @param path how they name the object in it, as in `config.json rope_scaling`
   */
  constructor(values: Record<string, unknown>, limits: CountLimits, file = CONFIG_FILE, path = file) {
    this.#values = values
    this.#limits = limits
    this.#file = file
    this.#path = path
  }

  /** The error for values that contradict each other. @param what follows the file's name */
  contradicts(what: string): LayerpruneError {
    return new LayerpruneError(`${this.#file} ${what}`, { hint: this.#hint })
  }

  get #hint(): string {
    return adviseOnConfig(this.#file, 'from the model it belongs to')
  }

  /** A size of tensors, or a count of something in them: a whole number from 1 to the longest axis of any tensor. */
  count(key: string): number
  count<T>(key: string, otherwise: T): number | T
  count(...given: [key: string, otherwise?: unknown]): unknown {
    const value = this.#whole(given)
    this.#limit(given[0], value, this.#limits.longestAxis, 'the longest axis of any tensor')
    return value
  }

  /** The number of layers, each of which has at least one tensor. */
  layers(key: string): number {
    const value = this.#whole([key]) as number
    this.#limit(key, value, this.#limits.tensors, 'the number of tensors')
    return value
  }

  /** A number of tokens or a period: a whole number of at least 1, not limited by the files. */
  length(key: string): number
  length<T>(key: string, otherwise: T): number | T
  length(...given: [key: string, otherwise?: unknown]): unknown {
    return this.#whole(given)
  }

  /** A number that float32 can hold. */
  number(key: string): number
  number<T>(key: string, otherwise: T): number | T
  number(...given: [key: string, otherwise?: unknown]): unknown {
    return this.#take(given, 'a number that float32 can hold', isFloat32)
  }

  /** A number over 0 that float32 can hold. */
  positive(key: string): number
  positive<T>(key: string, otherwise: T): number | T
  positive(...given: [key: string, otherwise?: unknown]): unknown {
    return this.#take(
      given,
      'a number over 0 that float32 can hold',
      (value) => isFloat32(value) && Math.fround(value) > 0,
    )
  }

  flag(key: string, otherwise: boolean): boolean {
    return this.#take([key, otherwise], 'true or false', (value) => typeof value === 'boolean') as boolean
  }

  text(key: string): string
  text<T>(key: string, otherwise: T): string | T
  text(...given: [key: string, otherwise?: unknown]): unknown {
    return this.#take(given, 'a string', (value) => typeof value === 'string')
  }

  numbers(key: string): number[]
  numbers<T>(key: string, otherwise: T): number[] | T
  numbers(...given: [key: string, otherwise?: unknown]): unknown {
    return this.#take(
      given,
      'a list of numbers that float32 can hold',
      (value) => Array.isArray(value) && value.every(isFloat32),
    )
  }

  texts<T>(key: string, otherwise: T): string[] | T {
    const isTexts = (value: unknown) => Array.isArray(value) && value.every((item) => typeof item === 'string')
    return this.#take([key, otherwise], 'a list of strings', isTexts) as string[] | T
  }

  /** A nested object with its own record of keys; undefined if absent, null or empty. */
  object(key: string): ConfigReader | undefined {
    const value = this.#take([key, undefined], 'an object', isObject)
    if (value === undefined || Object.keys(value as object).length === 0) return undefined
    return this.assume(key, value as Record<string, unknown>)
  }

  /** A reader of a nested object that the config need not have. */
  assume(key: string, value: Record<string, unknown>): ConfigReader {
    return new ConfigReader(value, this.#limits, this.#file, `${this.#path} ${key}`)
  }

  /** Chooses between two keys of the same meaning: `own` if present, else `usual`. If both are present they must agree. */
  choose(own: string, usual: string): string {
    if (!this.has(own)) return this.has(usual) ? usual : own
    this.expect(usual, this.raw(own))
    return own
  }

  keys(): string[] {
    return Object.keys(this.#values)
  }

  has(key: string): boolean {
    return this.#values[key] !== undefined && this.#values[key] !== null
  }

  /** Whether the key is present and null, for keys where null and absence differ. */
  isNull(key: string): boolean {
    this.#read.add(key)
    return this.#values[key] === null
  }

  /** The value as it is, whatever its type. */
  raw(key: string): unknown {
    this.#read.add(key)
    return this.#values[key]
  }

  /** Checks that a key, if present, has this value. */
  expect(key: string, value: unknown): void {
    const found = this.raw(key)
    if (found !== undefined && found !== null && found !== value) {
      throw this.refuse(key, JSON.stringify(value))
    }
  }

  /** Marks keys as read because they do not change the computation. */
  ignore(...keys: string[]): void {
    for (const key of keys) this.#read.add(key)
  }

  refuse(key: string, expected: string, hint = 'use an ONNX export of the model'): LayerpruneError {
    return new LayerpruneError(`${this.#path}: ${key} is ${shorten(this.#values[key])}, expected ${expected}`, {
      hint,
    })
  }

  /**
   * Checks that every key was read, except harmless ones.
   * @throws LayerpruneError that names the first unread key
   */
  assertAllRead(family: string, isHarmless: (key: string, value: unknown) => boolean): void {
    for (const [key, value] of Object.entries(this.#values)) {
      if (this.#read.has(key) || isHarmless(key, value)) continue
      throw new LayerpruneError(
        `${this.#path} has ${key} = ${shorten(value)}, which is not known of ${family} models and could change what they compute`,
        {
          hint: `if it does not, ${nameOption('ignoreConfigKey', key)} reads the model anyway; otherwise use an ONNX export`,
        },
      )
    }
  }

  /**
   * Checks that the family does not read a key that the user wants to ignore.
   * @throws UsageError
   */
  assertUnread(key: string, family: string): void {
    if (!this.#read.has(key)) return
    throw new UsageError(
      `${nameOption('ignoreConfigKey', key)}: ${family} models are known to have ${key}, so it is not ignored`,
    )
  }

  #whole(given: [key: string, otherwise?: unknown]): unknown {
    const isWhole = (value: unknown) => Number.isSafeInteger(value) && Number(value) > 0
    return this.#take(given, 'a positive whole number', isWhole)
  }

  #limit(key: string, value: unknown, limit: number, what: string): void {
    if (typeof value !== 'number' || value <= limit) return
    throw new LayerpruneError(`${this.#path}: ${key} is ${value}, expected at most ${limit}, ${what}`, {
      hint: adviseOnConfig(this.#file, 'and weights from the same model'),
    })
  }

  #take(given: [key: string, otherwise?: unknown], expected: string, accepts: (value: unknown) => boolean): unknown {
    const [key] = given
    this.#read.add(key)
    const value = this.#values[key]
    if (value === undefined || value === null) {
      if (given.length === 2) return given[1]
      throw new LayerpruneError(`${this.#path} does not state ${key}, expected ${expected}`, {
        hint: this.#hint,
      })
    }
    if (!accepts(value)) {
      throw new LayerpruneError(`${this.#path}: ${key} is ${shorten(value)}, expected ${expected}`, {
        hint: this.#hint,
      })
    }
    return value
  }
}

function isFloat32(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(Math.fround(value))
}

function shorten(value: unknown): string {
  const text = typeof value === 'number' ? `${value}` : (JSON.stringify(value) ?? 'nothing')
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}
