import { LayerpruneError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'

/** What a format reader yields: the value of the column, whatever it is, or the whole row as an object. */
export interface DataRow {
  /** undefined if the row lacks the column. */
  value: unknown
  /** 1-based line of a line format, row of the others; undefined if the file is one document. */
  position: number | undefined
}

export interface ReadContext {
  /** The file, for messages. */
  name: string
  /** Null for whole rows. */
  column: string | null
}

export interface ColumnContext extends ReadContext {
  column: string
}

/** Where in a file reading begins, and in which order. */
export interface ReadOrder {
  /** Rows at the start of the dataset still to be skipped; a reader counts them down. */
  skip?: { rows: number } | undefined
  /** Order of the parts that can be read separately (row groups), given how many there are; their own if omitted. */
  shuffle?: ((count: number) => number[]) | undefined
  /** Ends the reading between rows, and within a file without any. */
  signal?: AbortSignal | undefined
  /** Called with the number of rows, if the file states it. */
  onRows?: ((rows: number) => void) | undefined
}

/** No line, row or document may be longer; a longer one means a file of another kind, and V8's strings have a limit. */
export const MAX_ROW_BYTES = 1 << 28

const MAX_COLUMNS_NAMED = 20

/** The error for a file without the column: it lists the existing columns, and suggests the one that holds text. */
export function missingColumnError(
  { name, column }: ColumnContext,
  columns: { name: string; isText: boolean }[],
): LayerpruneError {
  const names = columns.slice(0, MAX_COLUMNS_NAMED).map((candidate) => candidate.name)
  const more = columns.length > names.length ? ` and ${columns.length - names.length} more` : ''
  const found = names.length === 0 ? 'none' : `${names.join(', ')}${more}`
  const texts = columns.filter((candidate) => candidate.isText)
  const hint =
    texts.length === 1
      ? nameOption('datasetColumn', texts[0]!.name)
      : 'name the column that holds the text with `datasetColumn`'
  return new LayerpruneError(`column '${column}' is not in ${name}; columns: ${found}`, { hint })
}
