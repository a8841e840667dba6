import { isObject } from '../../base/is-object.js'

/** The columns that are read: the one the user named, or those between its commas. */
export function chooseColumns(asked: string, has: (name: string) => boolean): string[] {
  return has(asked) ? [asked] : asked.split(',').map((name) => name.trim())
}

/**
 * Several columns of a row as one: texts joined by a line end unless there is white space, chats one after the other.
 * @returns undefined if one of them is neither or they are of both kinds; empty ones and null have no part in it
 */
export function joinColumns(values: unknown[]): unknown {
  if (values.length === 1) return values[0]
  const present = values.filter((value) => value !== null && value !== undefined && value !== '')
  if (present.length === 0) return values.find((value) => value === '')
  if (present.every((value) => Array.isArray(value))) return present.flat()
  if (!present.every((value) => typeof value === 'string')) return undefined
  return present.reduce((text, next) => `${text}${/\s$/.test(text) || /^\s/.test(next) ? '' : '\n'}${next}`)
}

/** Whether a value may be what a column of texts or of chats holds. */
export function isReadable(value: unknown): value is string | unknown[] {
  return typeof value === 'string' || isChat(value)
}

/** Whether a value is a list of turns. */
export function isChat(value: unknown): value is unknown[] {
  return Array.isArray(value) && value.length > 0 && value.every(isTurn)
}

function isTurn(value: unknown): boolean {
  return isObject(value) && hasTurnFields((name) => Object.hasOwn(value, name))
}

/** Whether something has the fields of a turn of a chat: `{ role, content }` or `{ from, value }`. */
export function hasTurnFields(has: (name: string) => boolean): boolean {
  return (has('role') && has('content')) || (has('from') && has('value'))
}
