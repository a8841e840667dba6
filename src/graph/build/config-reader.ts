import { LayerpruneError } from '../../errors.js'

/**
 * Reads the keys of a config by name and type and remembers which were read, so that a key that nobody looked
 * at can be refused in place of being ignored. A key that is absent or null has the family's default.
 */
export class ConfigReader {
  readonly #values: Record<string, unknown>
  readonly #path: string
  readonly #read = new Set<string>()

  /** @param path how messages name the object, as in `config.json` or `config.json rope_scaling` */
  constructor(values: Record<string, unknown>, path = 'config.json') {
    this.#values = values
    this.#path = path
  }

  /** A whole number of at least 1. */
  count(key: string): number
  count<T>(key: string, otherwise: T): number | T
  count(...given: [key: string, otherwise?: unknown]): unknown {
    return this.#take(
      given,
      'a positive whole number',
      (value) => Number.isSafeInteger(value) && Number(value) > 0,
    )
  }

  number(key: string): number
  number<T>(key: string, otherwise: T): number | T
  number(...given: [key: string, otherwise?: unknown]): unknown {
    return this.#take(given, 'a number', Number.isFinite)
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
      'a list of numbers',
      (value) => Array.isArray(value) && value.every(Number.isFinite),
    )
  }

  texts<T>(key: string, otherwise: T): string[] | T {
    const isTexts = (value: unknown) =>
      Array.isArray(value) && value.every((item) => typeof item === 'string')
    return this.#take([key, otherwise], 'a list of strings', isTexts) as string[] | T
  }

  /** A nested object with its own record of keys; undefined where absent, null or empty. */
  object(key: string): ConfigReader | undefined {
    const value = this.#take([key, undefined], 'an object', isObject)
    if (value === undefined || Object.keys(value as object).length === 0) return undefined
    return new ConfigReader(value as Record<string, unknown>, `${this.#path} ${key}`)
  }

  has(key: string): boolean {
    return this.#values[key] !== undefined && this.#values[key] !== null
  }

  /** Whether the key is there and says null, where that means something else than its absence. */
  isNull(key: string): boolean {
    this.#read.add(key)
    return this.#values[key] === null
  }

  /** The value as it is, whatever its type. */
  raw(key: string): unknown {
    this.#read.add(key)
    return this.#values[key]
  }

  /** Checks a key that may be there, with one value only. */
  expect(key: string, value: unknown): void {
    if (this.has(key) && this.raw(key) !== value) throw this.refuse(key, JSON.stringify(value))
  }

  /** Takes note of keys that have no effect on what is computed. */
  ignore(...keys: string[]): void {
    for (const key of keys) this.#read.add(key)
  }

  refuse(key: string, expected: string): LayerpruneError {
    const found = JSON.stringify(this.#values[key]) ?? 'nothing'
    return new LayerpruneError(`${this.#path}: ${key} is ${found}, expected ${expected}`, {
      hint: 'use an ONNX export of the model',
    })
  }

  /**
   * Checks that no key was left unread, apart from those that never change what is computed.
   * @throws LayerpruneError that names the first such key
   */
  assertAllRead(family: string, isHarmless: (key: string, value: unknown) => boolean): void {
    for (const [key, value] of Object.entries(this.#values)) {
      if (this.#read.has(key) || isHarmless(key, value)) continue
      throw new LayerpruneError(
        `${this.#path} has ${key} = ${shorten(value)}, which is not known of ${family} models and could change what they compute`,
        { hint: 'use an ONNX export of the model, or remove the key if it has no effect' },
      )
    }
  }

  #take(
    given: [key: string, otherwise?: unknown],
    expected: string,
    accepts: (value: unknown) => boolean,
  ): unknown {
    const [key] = given
    this.#read.add(key)
    const value = this.#values[key]
    if (value === undefined || value === null) {
      if (given.length === 2) return given[1]
      throw new LayerpruneError(`${this.#path} does not state ${key}, expected ${expected}`, {
        hint: 'take config.json from the model it belongs to',
      })
    }
    if (!accepts(value)) {
      throw new LayerpruneError(`${this.#path}: ${key} is ${shorten(value)}, expected ${expected}`)
    }
    return value
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shorten(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}
