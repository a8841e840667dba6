import { isDeepStrictEqual } from 'node:util'
import { capitalize, countCharacters, splitAtSpace, strip, stripEnd, stripStart } from './python-text.js'

/** A function of a template on values without Jinja's wrapping: strings, numbers, booleans, null, lists, objects. */
type TemplateFunction = (...values: unknown[]) => unknown

export const UNDEFINED = 'a value is not in the document'

/** Methods of strings and lists, the value itself first. */
export const METHODS: Record<string, TemplateFunction> = {
  capitalize: (text) => capitalize(string(text)),
  endswith: (text, end) => string(text).endsWith(string(end)),
  index: (list, item) => indexOf(list, item),
  join: (separator, list) => join(list, separator),
  lower: (text) => string(text).toLowerCase(),
  lstrip: (text, ...rest) => stripStart(withoutArguments('lstrip', string(text), rest)),
  replace: (text, from, to) => string(text).replaceAll(string(from), () => string(to)),
  rstrip: (text, ...rest) => stripEnd(withoutArguments('rstrip', string(text), rest)),
  split: (text, separator, most) => split(string(text), separator, most),
  startswith: (text, start) => string(text).startsWith(string(start)),
  strip: (text, ...rest) => strip(withoutArguments('strip', string(text), rest)),
  upper: (text) => string(text).toUpperCase(),
}

/** Filters, the value before the bar first. */
export const FILTERS: Record<string, TemplateFunction> = {
  capitalize: (text) => capitalize(string(text)),
  default: (value, other) => (value === undefined ? other : value),
  first: (list) => itemOf(list, 0),
  int: (value) => toWholeNumber(value),
  join: (list, separator = '') => join(list, separator),
  last: (list) => itemOf(list, -1),
  length: (value) => (typeof value === 'string' ? countCharacters(value) : listOf(value).length),
  list: (value) => (typeof value === 'string' ? [...value] : listOf(value)),
  lower: (text) => printed(text).toLowerCase(),
  replace: (text, from, to) => printed(text).replaceAll(string(from), () => string(to)),
  string: (value) => printed(value),
  trim: (text) => strip(printed(text)),
  upper: (text) => printed(text).toUpperCase(),
}

/** What operators and the braces of an expression do, by names that no template can write. */
export const OPERATORS: Record<string, TemplateFunction> = {
  '{{': (value) => printed(value),
  '~': (left, right) => printed(left) + printed(right),
  '==': (left, right) => isDeepStrictEqual(left, right),
  '!=': (left, right) => !isDeepStrictEqual(left, right),
}

/** A value as a template prints it; throws if it is undefined, or a list or object, which Python prints as code. */
function printed(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value)
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (value === null) return 'None'
  throw new Error(value === undefined ? UNDEFINED : `${kindOf(value)} cannot be written into a text`)
}

function string(value: unknown): string {
  if (typeof value === 'string') return value
  throw new Error(`expected a string, found ${kindOf(value)}`)
}

function listOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value
  throw new Error(`expected a list, found ${kindOf(value)}`)
}

function itemOf(list: unknown, place: number): unknown {
  return (typeof list === 'string' ? [...list] : listOf(list)).at(place)
}

function indexOf(list: unknown, item: unknown): number {
  if (typeof list === 'string') throw new Error('index is understood of lists, not of strings')
  const place = listOf(list).findIndex((other) => isDeepStrictEqual(other, item))
  if (place < 0) throw new Error(`${JSON.stringify(item)} is not in the list`)
  return place
}

function join(list: unknown, separator: unknown): string {
  return listOf(list).map(printed).join(string(separator))
}

function split(text: string, separator: unknown, most: unknown): string[] {
  if (separator === undefined || separator === null) {
    if (most !== undefined) throw new Error('split with a limit needs a separator')
    return splitAtSpace(text)
  }
  if (separator === '') throw new Error('split: the separator is empty')
  const parts = text.split(string(separator))
  if (typeof most !== 'number' || most < 0 || parts.length <= most) return parts
  return [...parts.slice(0, most), parts.slice(most).join(string(separator))]
}

/** As Jinja's filter int: 0 for what is no number. */
function toWholeNumber(value: unknown): number {
  if (typeof value === 'number') return Math.trunc(value)
  if (typeof value === 'boolean') return Number(value)
  const text = strip(string(value))
  return /^[+-]?\d+$/.test(text) ? Number(text) : 0
}

function withoutArguments(name: string, text: string, rest: unknown[]): string {
  if (rest.length === 0) return text
  throw new Error(`${name} with the characters to strip is not understood`)
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'None'
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
