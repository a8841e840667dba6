/** White space of Python's `str.isspace`; JavaScript's `\s` lacks the separators and NEL, and has the BOM. */
const SPACE = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]'
const SPACES = new RegExp(`${SPACE}+`)
const LEADING = new RegExp(`^${SPACE}+`)
const TRAILING = new RegExp(`${SPACE}+$`)

/** A text without the white space at its start, as Python's `lstrip`. */
export function stripStart(text: string): string {
  return text.replace(LEADING, '')
}

/** A text without the white space at its end, as Python's `rstrip`. */
export function stripEnd(text: string): string {
  // a pattern that ends in $ is tried at every run of spaces within the text
  let end = text.length
  while (end > 0 && TRAILING.test(text[end - 1]!)) end--
  return text.slice(0, end)
}

export function strip(text: string): string {
  return stripStart(stripEnd(text))
}

/** The words of a text, as Python's `split` without a separator. */
export function splitAtSpace(text: string): string[] {
  return text.split(SPACES).filter((word) => word !== '')
}

/** The first character in upper case, all others in lower case, as Python's `capitalize`. */
export function capitalize(text: string): string {
  const first = String.fromCodePoint(...(text === '' ? [] : [text.codePointAt(0)!]))
  return first.toUpperCase() + text.slice(first.length).toLowerCase()
}

/** Number of code points, as Python's `len`. */
export function countCharacters(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}
