import { LayerpruneError } from '../../base/errors.js'
import { chooseColumns, isReadable, joinColumns } from './columns.js'
import { readLines } from './lines.js'
import { type DataRow, missingColumnError, type ReadContext } from './row.js'

/**
 * Reads JSON Lines: one object per line, blank lines skipped.
 * @throws LayerpruneError, with file and line, if a line is not an object, or the first one lacks the column
 */
export async function* readJsonl(chunks: AsyncIterable<Uint8Array>, context: ReadContext): AsyncGenerator<DataRow> {
  let isFirst = true
  for await (const { text, number } of readLines(chunks, context.name)) {
    if (!/\S/.test(text)) continue
    const row = parseJsonRow(text, `${context.name}:${number}`)
    yield { value: pickColumn(row, context, isFirst), position: number }
    isFirst = false
  }
}

/** Parses a row that must be a JSON object; `where` names file and position in the error. */
export function parseJsonRow(text: string, where: string): Record<string, unknown> {
  let row: unknown
  try {
    row = JSON.parse(text)
  } catch (cause) {
    const reason = (cause as SyntaxError).message.replace(/\s+/g, ' ')
    throw new LayerpruneError(`${where}: expected a JSON object, found malformed JSON: ${reason}`, { cause })
  }
  if (typeof row !== 'object' || row === null || Array.isArray(row)) {
    throw new LayerpruneError(`${where}: expected a JSON object, found ${describeJson(row)}`)
  }
  return row as Record<string, unknown>
}

/**
 * The value of the column, or of several together; undefined if the row lacks it. The first row of a file must have them
 * all. The row itself if no column is read.
 */
export function pickColumn(row: Record<string, unknown>, { name, column }: ReadContext, isFirst: boolean): unknown {
  if (column === null) return row
  const chosen = chooseColumns(column, (name) => Object.hasOwn(row, name))
  const missing = chosen.find((column) => !Object.hasOwn(row, column))
  if (!isFirst || missing === undefined) return joinColumns(chosen.map((column) => row[column]))
  const columns = Object.entries(row).map(([name, value]) => ({ name, isText: isReadable(value) }))
  throw missingColumnError({ name, column: missing }, columns)
}

function describeJson(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`
}
