import { UsageError } from '../../base/errors.js'
import { formatQuantity } from '../../base/format-numbers.js'

/**
 * Which positions of a text are compared: its final token (Gromov et al.), its last K tokens, or each of them.
 * A text shorter than K gives all of its tokens, so `tail:1` is `last`, and a long enough tail is `all`.
 */
export type TokenSelection = 'last' | 'all' | `tail:${number}`

/** @throws UsageError for anything but last, all and tail:K with K a whole number of at least 1 */
export function parseTokenSelection(text: string): TokenSelection {
  if (text === 'last' || text === 'all') return text
  const length = /^tail:([1-9]\d*)$/.exec(text)?.[1]
  if (length === undefined || !Number.isSafeInteger(Number(length))) {
    throw new UsageError(`tokens must be last, all or tail:K with K of at least 1, found ${text}`)
  }
  return `tail:${Number(length)}`
}

/** Positions of a text of `length` tokens, 0-based, ascending. */
export function selectTokens(length: number, selection: TokenSelection): number[] {
  const first = Math.max(0, length - tailLength(selection))
  return Array.from({ length: length - first }, (_, index) => first + index)
}

/** `last token`, `last 32 tokens` or `all tokens`. */
export function describeTokens(selection: TokenSelection): string {
  if (selection === 'all') return 'all tokens'
  const length = tailLength(selection)
  return length === 1 ? 'last token' : `last ${formatQuantity(length, 'token')}`
}

function tailLength(selection: TokenSelection): number {
  if (selection === 'all') return Number.POSITIVE_INFINITY
  return selection === 'last' ? 1 : Number(selection.slice('tail:'.length))
}
