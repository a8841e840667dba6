/** A word as a POSIX shell reads it back: between quotes if it holds more than plain letters. */
export function quoteForShell(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
