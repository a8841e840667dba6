import { isObject } from '../../base/is-object.js'

/** What a value must be, in the words of messages. */
export const VALUE_KINDS = {
  text: ['a string', (value: unknown) => typeof value === 'string'],
  textOrNull: ['a string or null', (value: unknown) => value === null || typeof value === 'string'],
  texts: [
    'a string or a list of strings',
    (value: unknown) => [value].flat().every((item) => typeof item === 'string'),
  ],
  list: ['a list', Array.isArray],
  number: ['a number', (value: unknown) => typeof value === 'number'],
  numbers: ['a list of numbers', (value: unknown) => isListOf(value, (item) => typeof item === 'number')],
  flag: ['true or false', (value: unknown) => typeof value === 'boolean'],
  function: ['a function', (value: unknown) => typeof value === 'function'],
  object: ['an object', isObject],
  map: ['a Map', (value: unknown) => value instanceof Map],
  signal: ['an AbortSignal', (value: unknown) => value instanceof AbortSignal],
  block: ['a block, as { start: 4, end: 8 }', isBlock],
  blocks: ['a list of blocks, as [{ start: 4, end: 8 }]', (value: unknown) => isListOf(value, isBlock)],
  candidates: [
    'a list of lists of blocks, as [[{ start: 4, end: 8 }]]',
    (value: unknown) => isListOf(value, (item) => isListOf(item, isBlock)),
  ],
} as const satisfies Record<string, [words: string, is: (value: unknown) => boolean]>

/** A kind of value, or a list of allowed strings. */
export type OptionKind = keyof typeof VALUE_KINDS | readonly string[]

function isBlock(value: unknown): boolean {
  return isObject(value) && typeof value.start === 'number' && typeof value.end === 'number'
}

function isListOf(value: unknown, is: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(is)
}
