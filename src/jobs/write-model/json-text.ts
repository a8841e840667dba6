import { fromStrictJson, toStrictJson } from '../../files/checkpoint/python-json.js'

const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g
const STRING = /"(?:[^"\\]|\\.)*"/g

/** First letters that tell strings and numbers apart while both are written as strings. */
const TEXT = 't'
const NUMBER = 'n'

/**
 * Writes an edited JSON value with every number as the original text has it, if that has the same value under
 * the same keys: `2.0` is written `2.0`, and an edited number remains a float. transformers 5 takes 2 for no float and
 * refuses such a config.
 * @param original  text that the value was parsed from before it was edited
 */
export function formatEdited(value: unknown, original: string): string {
  const literals = collectLiterals(toStrictJson(original))
  const marked = mapLeaves(value, `${TEXT}`, (leaf, path) => {
    if (typeof leaf === 'string') return TEXT + leaf
    return typeof leaf === 'number' ? NUMBER + formatNumber(leaf, literals.get(path)) : leaf
  })
  const text = JSON.stringify(marked, null, 2).replaceAll(STRING, (string) =>
    string[1] === NUMBER ? string.slice(2, -1) : `"${string.slice(2)}`,
  )
  return `${fromStrictJson(text, original)}\n`
}

/** @param literals how the original writes the numbers under the same keys */
function formatNumber(number: number, literals: string[] = []): string {
  const same = literals.find((literal) => Number(literal) === number)
  if (same !== undefined) return same
  const areFloats = literals.length > 0 && literals.every((literal) => /[.eE]/.test(literal))
  return areFloats && /^-?\d+$/.test(`${number}`) ? `${number}.0` : `${number}`
}

/** The numbers of a JSON text as it writes them, by the keys that lead to them. */
function collectLiterals(text: string): Map<string, string[]> {
  const marked = text.replaceAll(STRING_OR_NUMBER, (token) =>
    token.startsWith('"') ? `"${TEXT}${token.slice(1)}` : `"${NUMBER}${token}"`,
  )
  const literals = new Map<string, string[]>()
  mapLeaves(JSON.parse(marked), '', (leaf, path) => {
    if (typeof leaf === 'string' && leaf.startsWith(NUMBER)) {
      literals.set(path, [...(literals.get(path) ?? []), leaf.slice(NUMBER.length)])
    }
    return leaf
  })
  return literals
}

/** A copy with other leaves: `map` takes a leaf and the keys that lead to it, marked and without list places. */
function mapLeaves(value: unknown, mark: string, map: (leaf: unknown, path: string) => unknown, path = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => mapLeaves(item, mark, map, path))
  if (typeof value !== 'object' || value === null) return map(value, path)
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [mark + key, mapLeaves(item, mark, map, `${path}/${mark}${key}`)]),
  )
}
