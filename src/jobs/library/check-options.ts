import { UsageError } from '../../base/errors.js'
import { formatList } from '../../base/format-numbers.js'
import { isObject } from '../../base/is-object.js'

/** What a value must be, in the words of messages. */
const KINDS = {
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

/** What the value of an option must be: of a kind, or one of some strings. */
type OptionKind = keyof typeof KINDS | readonly string[]

interface OptionSpec {
  kind: OptionKind
  required: boolean
}

/** What an options type asks for, each option by its name: the compiler holds the list against the type. */
export type OptionSpecs<Options> = {
  [Name in keyof Options]-?: OptionSpec & { required: undefined extends Options[Name] ? false : true }
}

export const may = (kind: OptionKind) => ({ kind, required: false }) as const
export const must = (kind: OptionKind) => ({ kind, required: true }) as const

/** Longest distance of a misspelt name from the one that was meant. */
const MOST_EDITS = 3

/**
 * Checks the options of a call of the library, which no compiler may have seen.
 * @param caller  name of the function, for messages
 * @throws UsageError if one is missing, unknown or of the wrong kind, naming it
 */
export function checkOptions<Options>(
  caller: string,
  options: Options,
  specs: OptionSpecs<Options>,
): asserts options is Options {
  if (!isObject(options))
    throw new UsageError(`${caller} takes an object of options, found ${describe(options)}`)
  const known = new Map<string, OptionSpec>(Object.entries(specs))
  for (const [name, value] of Object.entries(options)) {
    const spec = known.get(name)
    if (spec === undefined) throw unknownOption(caller, name, [...known.keys()])
    if (value !== undefined) checkKind(`${caller}: ${name}`, value, spec.kind)
  }
  for (const [name, { required }] of known) {
    if (required && options[name] === undefined) throw new UsageError(`${caller} needs the option ${name}`)
  }
}

function checkKind(what: string, value: unknown, kind: OptionKind): void {
  if (typeof kind !== 'string') {
    if (kind.includes(value as string)) return
    throw new UsageError(
      `${what} must be ${kind.map((name) => `'${name}'`).join(' or ')}, found ${describe(value)}`,
    )
  }
  const [words, is] = KINDS[kind]
  if (!is(value)) throw new UsageError(`${what} must be ${words}, found ${describe(value)}`)
}

function unknownOption(caller: string, name: string, known: string[]): UsageError {
  const [nearest] = known
    .map((other) => ({ other, edits: countEdits(name.toLowerCase(), other.toLowerCase()) }))
    .filter(({ edits }) => edits <= Math.min(MOST_EDITS, name.length / 2))
    .sort((a, b) => a.edits - b.edits)
  const hint = nearest === undefined ? `it has ${formatList(known)}` : `did you mean ${nearest.other}?`
  return new UsageError(`${caller} has no option ${name}`, { hint })
}

/** Letters to insert, delete or replace to make one text of another (Levenshtein 1966). */
function countEdits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (const [index, letter] of [...from].entries()) {
    const next = [index + 1]
    for (let j = 0; j < to.length; j++) {
      next.push(Math.min(row[j + 1]! + 1, next[j]! + 1, row[j]! + (letter === to[j] ? 0 : 1)))
    }
    row = next
  }
  return row.at(-1)!
}

function isBlock(value: unknown): boolean {
  return isObject(value) && typeof value.start === 'number' && typeof value.end === 'number'
}

function isListOf(value: unknown, is: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(is)
}

function describe(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  if (value === null || typeof value !== 'object')
    return typeof value === 'function' ? 'a function' : String(value)
  return Array.isArray(value) ? 'a list' : 'an object'
}
