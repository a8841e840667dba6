const STRING_OR_INFINITY = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\bInfinity\b/g
const WRITTEN_OUT = /\{\s*"__float__":\s*"(-?Infinity)"\s*\}/g

/** JSON for a text of Python's, which may have Infinity in it: that becomes the object that transformers 5 writes for it. */
export function toStrictJson(text: string): string {
  // strings of many megabytes exceed what the pattern can match
  if (!text.includes('Infinity')) return text
  return text.replaceAll(STRING_OR_INFINITY, (token) => (token.startsWith('"') ? token : `{"__float__": "${token}"}`))
}

/** The inverse of `toStrictJson`, if the text that was read has Infinity in it. */
export function fromStrictJson(text: string, original: string): string {
  return toStrictJson(original) === original ? text : text.replaceAll(WRITTEN_OUT, '$1')
}
