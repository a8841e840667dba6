/** Extra indent of a continued line. */
const CONTINUATION = 4

/** A space that does not separate a flag from its value. */
const BETWEEN_ARGUMENTS = /(?<!(?:^| )--?[\w-]+) | (?=-)/

/**
 * Wraps a help text: fills paragraphs, indents list items, breaks examples after a backslash for copying.
 * @param width  columns of the window
 */
export function wrapHelp(text: string, width: number): string {
  return joinParagraphs(text.split('\n'))
    .map((line) => wrapLine(line, width))
    .join('\n')
}

/** Joins the lines of a paragraph, which are broken only for the source. */
function joinParagraphs(lines: string[]): string[] {
  const joined: string[] = []
  for (const line of lines) {
    const before = joined.at(-1) ?? ''
    const continues = /^\S.*[^.:]$/.test(before) && /^\S/.test(line)
    if (continues) joined.push(`${joined.pop()} ${line}`)
    else joined.push(line)
  }
  return joined
}

function wrapLine(line: string, width: number): string {
  if (line.length <= width) return line
  const isExample = /^ +(?:layerprune|source) /.test(line)
  const start = /^ *(?:\S+ {2,})?/.exec(line)![0]
  const indent = ' '.repeat(isExample ? start.length + CONTINUATION : start.length)
  const room = width - (isExample ? 2 : 0)
  const wrapped = [start]
  for (const word of line.slice(start.length).split(isExample ? BETWEEN_ARGUMENTS : ' ')) {
    const last = wrapped.at(-1)!
    const isEmpty = last.trim() === '' || last === start
    if (!isEmpty && last.length + 1 + word.length > room) wrapped.push(indent + word)
    else wrapped[wrapped.length - 1] = last + (isEmpty ? '' : ' ') + word
  }
  return wrapped.join(isExample ? ' \\\n' : '\n')
}
