/** Characters that steer a terminal, end a line or change the reading direction; not tab and line feed. */
const UNSHOWN = /[^\P{Cc}\n\t]|[\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]/gu

/** Text of any origin without control characters; its lines and tabs are kept. */
export function cleanLines(text: string): string {
  return text.replace(UNSHOWN, '\ufffd')
}

/** As `cleanLines`, in one line. */
export function cleanLine(text: string): string {
  return cleanLines(text.trim().replace(/\s*[\n\u2028\u2029]\s*|\t/g, ' '))
}

/** A copy of a document in which every string, keys too, is one clean line. */
export function cleanStrings<T>(document: T): T {
  return cleanAny(document) as T
}

function cleanAny(value: unknown): unknown {
  if (typeof value === 'string') return cleanLines(value).replace(/[\n\t]/g, '\ufffd')
  if (Array.isArray(value)) return value.map(cleanAny)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [cleanAny(key) as string, cleanAny(item)]))
}

/** JSON with all such characters escaped, which means the same; its strings are also Python literals. */
export function formatJson(value: unknown, indent?: number): string {
  return escapeUnshown(JSON.stringify(value, null, indent))
}

/** Text whose strings have double quotes, with each such character as `\u` and its code. */
export function escapeUnshown(text: string): string {
  return text.replace(UNSHOWN, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
