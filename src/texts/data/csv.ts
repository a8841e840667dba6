import { CsvError, type Info, type Options, parse } from 'csv-parse'
import { LayerpruneError } from '../../base/errors.js'
import { chooseColumns, joinColumns } from './columns.js'
import { type ColumnContext, type DataRow, MAX_ROW_BYTES, missingColumnError } from './row.js'
import { iterateTransform } from './transform.js'
import { decodeUtf8Stream } from './utf8.js'

interface CsvRecord {
  fields: string[]
  line: number
}

/**
 * Reads comma or tab separated values with a header row (RFC 4180): quoted fields may hold line ends, a quote
 * inside an unquoted field is a plain character, blank lines are skipped. Positions are the lines on which
 * the rows begin.
 * @throws LayerpruneError, with file and line, if a row has more or fewer fields than the header, a quote
 * is not closed, or the header lacks the column or contains it twice
 */
export async function* readCsv(
  chunks: AsyncIterable<Uint8Array>,
  context: ColumnContext & { delimiter: ',' | '\t' },
): AsyncGenerator<DataRow> {
  const { name, delimiter } = context
  let nextLine = 1
  let fieldCount = 0
  let emptyLines = 0
  let carriageReturns = 0
  const startLine = (info: { empty_lines: number }) => nextLine + info.empty_lines - emptyLines
  const options: Options<CsvRecord, string[]> = {
    delimiter,
    record_delimiter: ['\r\n', '\n'],
    relax_quotes: true,
    skip_empty_lines: true,
    max_record_size: MAX_ROW_BYTES,
    on_record(fields, info) {
      // The parser counts a carriage return inside a field as one more line.
      for (const field of fields) if (field.includes('\r')) carriageReturns += field.split('\r').length - 1
      const line = startLine(info)
      emptyLines = info.empty_lines
      nextLine = info.lines - carriageReturns + 1
      fieldCount = fields.length
      return { fields, line }
    },
  }
  // The library's types let on_record change the row only if it has been given column names.
  const parser = parse(options as unknown as Options)

  let indices: number[] | undefined
  try {
    for await (const { fields, line } of iterateTransform<CsvRecord>(decodeUtf8Stream(chunks, name), parser)) {
      if (indices === undefined) indices = findColumns(fields, context)
      else yield { value: joinColumns(indices.map((index) => fields[index])), position: line }
    }
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause
    throw explain(cause, `${name}:${startLine(cause as CsvError & Info)}`, fieldCount)
  }
}

function findColumns(header: string[], context: ColumnContext): number[] {
  const columns = chooseColumns(context.column, (name) => header.includes(name))
  return columns.map((column) => findColumn(header, { ...context, column }))
}

function findColumn(header: string[], context: ColumnContext): number {
  const index = header.indexOf(context.column)
  if (index === -1) {
    throw missingColumnError(
      context,
      header.map((name) => ({ name, isText: true })),
    )
  }
  if (header.lastIndexOf(context.column) !== index) {
    throw new LayerpruneError(`column '${context.column}' occurs twice in the header of ${context.name}`)
  }
  return index
}

function explain(cause: CsvError, where: string, fieldCount: number): LayerpruneError {
  switch (cause.code) {
    case 'CSV_RECORD_INCONSISTENT_FIELDS_LENGTH': {
      const { length } = cause.record as string[]
      return new LayerpruneError(`${where}: expected ${fieldCount} fields, found ${length}`, { cause })
    }
    case 'CSV_QUOTE_NOT_CLOSED':
      return new LayerpruneError(`${where}: a quoted field of this row is not closed before the file ends`, {
        cause,
      })
    default:
      return new LayerpruneError(`${where}: ${cause.message.toLowerCase()}`, { cause })
  }
}
