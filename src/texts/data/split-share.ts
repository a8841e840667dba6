import { existsSync } from 'node:fs'

/**
 * Splits a path such as `a.jsonl:0.7` into a name and the digits of its share.
 * @returns undefined if it has no share: a path that exists as it is named has none, whatever it ends in
 */
export function splitShare(path: string): { id: string; digits: string } | undefined {
  const [, id, digits] = existsSync(path) ? [] : (/^(.+):(\d+\.?\d*|\.\d+)$/.exec(path) ?? [])
  return id === undefined ? undefined : { id, digits: digits! }
}
