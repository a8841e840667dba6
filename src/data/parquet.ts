import type { AsyncBuffer, FileMetaData, SchemaTree } from 'hyparquet'
import { parquetMetadata, parquetSchema } from 'hyparquet'
import { type parquetHeader, readPage } from 'hyparquet/src/column.js'
import { convert, DEFAULT_PARSERS } from 'hyparquet/src/convert.js'
import { LayerpruneError } from '../errors.js'
import { ChunkBytes } from './parquet-chunk.js'
import { PAGE_COMPRESSORS } from './parquet-compressors.js'
import { assertPageHeader } from './parquet-page.js'
import { unpackPage } from './parquet-runs.js'
import { assertPlain, assertValues } from './parquet-values.js'
import { type ColumnContext, type DataRow, MAX_ROW_BYTES, missingColumnError, type RowSkip } from './row.js'
import { assertThriftCounts } from './thrift-counts.js'
import { decodeUtf8 } from './utf8.js'

/** Footer length and magic number. */
const FOOTER_TAIL_BYTES = 8
const MAGIC = Buffer.from('PAR1').readUInt32LE()
/** Of a footer, which is held whole: it has a few hundred bytes per row group and column. */
const MAX_FOOTER_BYTES = MAX_ROW_BYTES
type PageHeader = ReturnType<typeof parquetHeader>

/** One column's part of a row group. */
interface ColumnChunk {
  /** For messages: the file and the row group. */
  where: string
  rowCount: number
  /** Rows without a value, if the file says so. */
  nullCount: number | undefined
  startByte: number
  /** exclusive */
  endByte: number
  decoder: Parameters<typeof readPage>[2]
}

interface ParquetOrder {
  skip?: RowSkip | undefined
  shuffle?: ((count: number) => number[]) | undefined
  onRows?: ((rows: number) => void) | undefined
}

/**
 * Reads one string column of a Parquet file, page by page as rows are requested; the bytes of other columns and of
 * skipped row groups are not read.
 * Memory holds one page of the column and what was read ahead of it, at most a few megabytes.
 * @param options.skip     rows still to be skipped; counted down
 * @param options.shuffle  order in which row groups are read, from their number; their own if omitted
 * @param options.onRows   called with the number of rows of the file
 * @throws LayerpruneError, with the file, if it is cut short or corrupt, packed in an unknown way, or the
 * column is missing or is not a string column
 */
export async function* readParquet(
  file: AsyncBuffer,
  context: ColumnContext,
  { skip, shuffle, onRows }: ParquetOrder = {},
): AsyncGenerator<DataRow> {
  const { metadata, schema } = await readMetadata(file, context.name)
  const field = findColumn(schema, context)
  onRows?.(Number(metadata.num_rows))
  const rowStarts = cumulativeRows(metadata)
  const order = shuffle?.(metadata.row_groups.length) ?? metadata.row_groups.keys()
  for (const group of order) {
    const chunk = locateChunk(metadata, group, [schema, field], context)
    if (skip !== undefined && skip.rows >= chunk.rowCount) {
      skip.rows -= chunk.rowCount
      continue
    }
    let position = rowStarts[group]!
    for await (const values of readPages(file, chunk, context)) {
      for (let i = 0; i < values.length; i++) {
        position++
        if (skip !== undefined && skip.rows > 0) skip.rows--
        else yield { value: values[i], position }
      }
    }
  }
}

/** @throws LayerpruneError if the file is not a complete Parquet file */
export async function readMetadata(
  file: AsyncBuffer,
  name: string,
): Promise<{ metadata: FileMetaData; schema: SchemaTree }> {
  try {
    const metadata = parquetMetadata(await readFooter(file))
    const rows = metadata.row_groups.reduce((sum, { num_rows }) => sum + num_rows, 0n)
    if (rows !== metadata.num_rows) {
      throw new Error(`corrupt: expected row groups of ${metadata.num_rows} rows together, found ${rows}`)
    }
    return { metadata, schema: parquetSchema(metadata) }
  } catch (cause) {
    throw explain(cause, `${name}: not a complete Parquet file`)
  }
}

/** The footer with its length and the magic number after it. */
async function readFooter(file: AsyncBuffer): Promise<ArrayBuffer> {
  const end = file.byteLength - FOOTER_TAIL_BYTES
  if (end < 0) throw new Error(`${file.byteLength} bytes`)
  const tail = new DataView(await file.slice(end, file.byteLength))
  if (tail.getUint32(4, true) !== MAGIC) throw new Error('it does not end with PAR1')
  const length = tail.getUint32(0, true)
  const most = Math.min(end, MAX_FOOTER_BYTES)
  if (length > most) throw new Error(`a footer of ${length} bytes, expected at most ${most}`)
  const footer = await file.slice(end - length, file.byteLength)
  assertThriftCounts(new Uint8Array(footer), 0)
  return footer
}

/** First row of each row group, 0-based in the file. */
function cumulativeRows({ row_groups: groups }: FileMetaData): number[] {
  let rows = 0
  return groups.map(({ num_rows: count }) => {
    rows += Number(count)
    return rows - Number(count)
  })
}

function locateChunk(
  metadata: FileMetaData,
  group: number,
  schemaPath: [SchemaTree, SchemaTree],
  { name, column }: ColumnContext,
): ColumnChunk {
  const where = `${name}, row group ${group}`
  const { columns, num_rows: rowCount } = metadata.row_groups[group]!
  const found = columns.find(({ meta_data }) => meta_data?.path_in_schema?.[0] === column)
  const chunk = found?.meta_data
  if (!chunk || found.file_path) {
    throw new LayerpruneError(`${where}: corrupt: column '${column}' is not stored in the file`)
  }
  const nullCount = chunk.statistics?.null_count
  if (chunk.num_values !== rowCount) {
    throw new LayerpruneError(
      `${where}: corrupt: expected ${rowCount} values of '${column}', found ${chunk.num_values}`,
    )
  }
  const startByte = Number(chunk.dictionary_page_offset || chunk.data_page_offset)
  const parsers = {
    ...DEFAULT_PARSERS,
    stringFromBytes: (bytes: Uint8Array) => bytes && decodeUtf8(bytes, name),
  }
  return {
    where,
    rowCount: Number(rowCount),
    nullCount: nullCount === undefined ? undefined : Number(nullCount),
    startByte,
    endByte: startByte + Number(chunk.total_compressed_size),
    decoder: {
      pathInSchema: chunk.path_in_schema,
      element: schemaPath[1].element,
      schemaPath,
      type: chunk.type,
      codec: chunk.codec,
      compressors: PAGE_COMPRESSORS,
      parsers,
    },
  }
}

/** Decodes a column chunk page by page, up to the number of rows in the row group. */
async function* readPages(file: AsyncBuffer, chunk: ColumnChunk, { column }: ColumnContext) {
  const { where, rowCount, nullCount } = chunk
  const bytes = new ChunkBytes(file, chunk)
  const decode = createPageDecoder(chunk)
  let rows = 0
  let nulls = 0
  while (rows < rowCount && bytes.left > 0) {
    let page: ReturnType<typeof decode>
    try {
      const header = await bytes.readHeader()
      assertPageHeader(header, rowCount)
      page = decode(header, await bytes.take(header.compressed_page_size))
    } catch (cause) {
      throw explain(cause, `cannot read column '${column}' of ${where}`)
    }
    if (!page) continue
    rows += page.values.length
    nulls += page.nulls
    if (rows > rowCount) break
    yield page.values
  }
  const assertCount = (what: string, expected: number, found: number) => {
    if (found === expected) return
    const number = found > expected ? 'more' : found
    throw new LayerpruneError(
      `${where}: corrupt: expected ${expected} ${what} of '${column}', found ${number}`,
    )
  }
  assertCount('values', rowCount, rows)
  if (nullCount !== undefined) assertCount('nulls', nullCount, nulls)
}

/** Decodes the pages of a column chunk in order, and keeps a dictionary page for the pages after it. */
function createPageDecoder({ decoder }: ColumnChunk) {
  const nullable = decoder.element.repetition_type === 'OPTIONAL'
  let dictionary: ReturnType<typeof convert> | undefined
  return (
    header: PageHeader,
    stored: Uint8Array,
  ): { values: ArrayLike<unknown>; nulls: number } | undefined => {
    const { page, header: unpacked, values: encoded } = unpackPage(stored, header, { ...decoder, nullable })
    const isDictionary = header.type === 'DICTIONARY_PAGE'
    if (isDictionary) assertPlain(page, header.dictionary_page_header!.num_values)
    const reader = { view: new DataView(page.buffer, page.byteOffset, page.byteLength), offset: 0 }
    const { data } = readPage(
      reader,
      unpacked,
      { ...decoder, codec: 'UNCOMPRESSED' },
      dictionary,
      undefined,
      0,
    )
    if (!isDictionary) return data && { values: data, nulls: assertValues(data, header, encoded, nullable) }
    dictionary = data && convert(data, decoder)
    return undefined
  }
}

/** Internal errors of the library on wrong numbers tell a user only that the file is corrupt. */
export function explain(cause: unknown, what: string): unknown {
  if (!(cause instanceof Error) || cause instanceof LayerpruneError) return cause
  const tripped = cause instanceof TypeError || cause instanceof RangeError
  const reason =
    tripped || cause.message.includes('undefined') ? 'corrupt' : cause.message.replace(/\s+/g, ' ')
  return new LayerpruneError(`${what}: ${reason}`, { cause })
}

function findColumn({ children: fields }: SchemaTree, context: ColumnContext): SchemaTree {
  const field = fields.find((candidate) => candidate.element.name === context.column)
  if (!field) {
    const columns = fields.map((candidate) => ({
      name: candidate.element.name,
      isText: describeType(candidate) === 'string',
    }))
    throw missingColumnError(context, columns)
  }
  const type = describeType(field)
  if (type !== 'string') {
    throw new LayerpruneError(
      `column '${context.column}' of ${context.name}: expected a string column, found ${type}`,
    )
  }
  return field
}

function describeType({ children, element }: SchemaTree): string {
  const annotation = element.logical_type?.type ?? element.converted_type
  if (children.length > 0) return annotation?.toLowerCase() ?? 'struct'
  if (element.repetition_type === 'REPEATED') return 'list'
  if (annotation === 'STRING' || annotation === 'UTF8' || annotation === 'ENUM') return 'string'
  if (annotation) return annotation.toLowerCase()
  return element.type === 'BYTE_ARRAY' ? 'binary' : (element.type ?? 'nothing').toLowerCase()
}
