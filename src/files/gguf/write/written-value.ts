import type { Scalar, ValueType } from '../metadata-values.js'

/** A value of the metadata of a file to write. */
export type WrittenValue =
  | { type: Exclude<ValueType, 'array'>; value: Scalar }
  | { type: 'array'; elementType: Exclude<ValueType, 'array'>; value: Scalar[] }

/** By key; undefined ones are omitted. */
export type Statements = Record<string, WrittenValue | undefined>

export const count = (value: number): WrittenValue => ({ type: 'uint32', value })
export const real = (value: number): WrittenValue => ({ type: 'float32', value })
export const flag = (value: boolean): WrittenValue => ({ type: 'bool', value })
export const text = (value: string): WrittenValue => ({ type: 'string', value })
export const texts = (value: string[]): WrittenValue => ({ type: 'array', elementType: 'string', value })
export const flags = (value: boolean[]): WrittenValue => ({ type: 'array', elementType: 'bool', value })
export const integers = (value: number[]): WrittenValue => ({ type: 'array', elementType: 'int32', value })
export const reals = (value: number[]): WrittenValue => ({ type: 'array', elementType: 'float32', value })

/** The same of a value that a config may omit. */
export function optional<T>(value: T | undefined | null, make: (value: T) => WrittenValue): WrittenValue | undefined {
  return value === undefined || value === null ? undefined : make(value)
}
