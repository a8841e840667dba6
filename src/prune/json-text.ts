/** Numbers of a JSON text, and its strings, so that what looks like a number within one is passed over. */
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g

/** Starts a string that stands for a number as it was written. */
const MARK = '\u0000'

/**
 * Writes an edited JSON value with every number as the original text has it, where that has the same value under
 * the same keys: `2.0` stays `2.0`. transformers 5 takes 2 for no float and refuses such a config.
 * @param original  text that the value was parsed from before it was edited
 */
export function formatEdited(value: unknown, original: string): string {
  const literals = collectLiterals(original)
  const marked = mapNumbers(value, (number, path) => {
    const literal = literals.get(`${path}=${number}`)
    return literal === undefined ? number : `${MARK}${literal}`
  })
  const text = JSON.stringify(marked, null, 2).replaceAll(/"\\u0000([^"]*)"/g, '$1')
  return `${text}\n`
}

/** Numbers that JavaScript writes otherwise than the text does, by keys and value. */
function collectLiterals(text: string): Map<string, string> {
  const marked = text.replaceAll(STRING_OR_NUMBER, (token) =>
    token.startsWith('"') ? token : `"\\u0000${token}"`,
  )
  const literals = new Map<string, string>()
  visitStrings(JSON.parse(marked), (string, path) => {
    if (!string.startsWith(MARK)) return
    const literal = string.slice(MARK.length)
    if (`${Number(literal)}` !== literal) literals.set(`${path}=${Number(literal)}`, literal)
  })
  return literals
}

/** @param path keys that lead to the value, without places in lists */
function mapNumbers(value: unknown, map: (number: number, path: string) => unknown, path = ''): unknown {
  if (typeof value === 'number') return map(value, path)
  if (Array.isArray(value)) return value.map((item) => mapNumbers(item, map, path))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, mapNumbers(item, map, `${path}/${key}`)]),
  )
}

function visitStrings(value: unknown, visit: (string: string, path: string) => void, path = ''): void {
  if (typeof value === 'string') visit(value, path)
  else if (Array.isArray(value)) for (const item of value) visitStrings(item, visit, path)
  else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) visitStrings(item, visit, `${path}/${key}`)
  }
}
