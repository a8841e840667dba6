import { UsageError } from '../../base/errors.js'
import { formatList } from '../../base/format-numbers.js'
import { isObject } from '../../base/is-object.js'
import { OPTION_KINDS, type OptionName } from './option-kinds.js'
import type { OptionList } from './option-lists.js'
import { type OptionKind, VALUE_KINDS } from './value-kinds.js'

/** Maximum edits between a misspelt name and its suggestion. */
const MOST_EDITS = 3

/**
 * Checks the options of a call of the library, which no compiler may have seen.
 * @param caller  name of the function, for messages
 * @throws UsageError if one is missing, unknown or of the wrong kind, naming it
 */
export function checkOptions(caller: string, options: unknown, list: OptionList): void {
  if (!isObject(options)) throw new UsageError(`${caller} takes an object of options, found ${describe(options)}`)
  const known: OptionName[] = [...list.flags, ...list.given]
  for (const [name, value] of Object.entries(options)) {
    const found = known.find((other) => other === name)
    if (found === undefined) throw unknownOption(caller, name, known)
    if (value !== undefined) checkKind(`${caller}: ${name}`, value, list.kinds?.[found] ?? OPTION_KINDS[found])
  }
  for (const name of list.required) {
    if (options[name] === undefined) throw new UsageError(`${caller} needs the option ${name}`)
  }
}

function checkKind(what: string, value: unknown, kind: OptionKind): void {
  if (typeof kind !== 'string') {
    if (kind.includes(value as string)) return
    throw new UsageError(`${what} must be ${kind.map((name) => `'${name}'`).join(' or ')}, found ${describe(value)}`)
  }
  const [words, is] = VALUE_KINDS[kind]
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

/** Letters to insert, delete or replace to turn one text into another (Levenshtein 1966). */
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

function describe(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  if (value === null || typeof value !== 'object') return typeof value === 'function' ? 'a function' : String(value)
  return Array.isArray(value) ? 'a list' : 'an object'
}
