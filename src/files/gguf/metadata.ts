import { LayerpruneError } from '../../base/errors.js'
import { quoteName } from '../checkpoint/safetensors-header.js'
import { type GgufHeader, readArray } from './header.js'
import type { Scalar } from './metadata-values.js'

/** Reads the architecture's metadata and remembers which keys were read, so that others can be refused. */
export class Metadata {
  readonly #header: GgufHeader
  readonly #read = new Set<string>()
  readonly architecture: string

  /** @throws LayerpruneError if the file does not state its architecture */
  constructor(header: GgufHeader) {
    this.#header = header
    const architecture = header.metadata.get('general.architecture')?.value
    if (typeof architecture !== 'string') {
      throw new LayerpruneError(`${header.file} does not state its architecture`, {
        hint: 'take a file with general.architecture in its metadata, as llama.cpp writes it',
      })
    }
    this.architecture = architecture
  }

  get file(): string {
    return this.#header.file
  }

  /** A value of the architecture's own, by the key without its name. */
  value(key: string): Scalar | Scalar[] | undefined {
    const full = `${this.architecture}.${key}`
    this.#read.add(full)
    return this.#header.metadata.get(full)?.value ?? readArray(this.#header, full)
  }

  number(key: string): number | undefined {
    return this.#take(key, 'a number', (value) => typeof value === 'number') as number | undefined
  }

  flag(key: string): boolean | undefined {
    return this.#take(key, 'a flag', (value) => typeof value === 'boolean') as boolean | undefined
  }

  text(key: string): string | undefined {
    return this.#take(key, 'a text', (value) => typeof value === 'string') as string | undefined
  }

  /** A number for each layer, whether it is stated once or in a list; flags count as 0 and 1. */
  perLayer(key: string, layers: number): number[] | undefined {
    const value = this.value(key)
    if (value === undefined) return undefined
    const list = Array.isArray(value) ? value : new Array<Scalar>(layers).fill(value)
    if (list.length === layers && list.every((item) => typeof item === 'number' || typeof item === 'boolean')) {
      return list.map(Number)
    }
    throw this.refuse(key, `a number, or ${layers}, one for each layer`)
  }

  /** A number that all layers share, whether it is stated once or in a list. */
  shared(key: string, layers: number): number | undefined {
    const list = this.perLayer(key, layers)
    if (list === undefined || list.every((value) => value === list[0])) return list?.[0]
    throw this.refuse(key, 'the same number for all layers')
  }

  need<T>(key: string, value: T | undefined): T {
    if (value !== undefined) return value
    throw new LayerpruneError(`${this.file} does not state ${this.architecture}.${key}`, {
      hint: 'take the whole model, as it was published',
    })
  }

  /** Marks keys as read that do not change the computation. */
  ignore(...keys: string[]): void {
    for (const key of keys) this.#read.add(`${this.architecture}.${key}`)
  }

  refuse(key: string, expected: string): LayerpruneError {
    const shown = shorten(this.value(key))
    return new LayerpruneError(`${this.file}: ${this.architecture}.${key} is ${shown}, expected ${expected}`, {
      hint: 'use the safetensors checkpoint of the model',
    })
  }

  /** Keys of the architecture that nobody has read, with their values. */
  unread(): [key: string, value: unknown][] {
    return [...this.#header.metadata]
      .filter(([key]) => key.startsWith(`${this.architecture}.`) && !this.#read.has(key))
      .map(([key, { value }]) => [key, value ?? 'a long list'])
  }

  #take(key: string, expected: string, accepts: (value: Scalar | Scalar[]) => boolean): Scalar | Scalar[] | undefined {
    const value = this.value(key)
    if (value === undefined || accepts(value)) return value
    throw this.refuse(key, expected)
  }
}

const MOST_SHOWN = 8

function shorten(value: Scalar | Scalar[] | undefined): string {
  if (!Array.isArray(value)) return typeof value === 'string' ? quoteName(value) : String(value)
  const more = value.length > MOST_SHOWN ? ', …' : ''
  return `[${value.slice(0, MOST_SHOWN).join(', ')}${more}]`
}
