import type { AsyncBuffer, FileMetaData, SchemaTree } from 'hyparquet'
import { type parquetHeader, readPage } from 'hyparquet/src/column.js'
import { convert, DEFAULT_PARSERS } from 'hyparquet/src/convert.js'
import { LayerpruneError } from '../../../base/errors.js'
import { chooseColumns, hasTurnFields, joinColumns } from '../columns.js'
import { type ColumnContext, type DataRow, missingColumnError, type ReadOrder } from '../row.js'
import { decodeUtf8 } from '../utf8.js'
import { ChunkBytes } from './chunk.js'
import { PAGE_COMPRESSORS } from './compressors.js'
import { cumulativeRows, explain, readMetadata } from './footer.js'
import { assertPageHeader } from './page.js'
import { readGroup } from './records.js'
import { unpackPage } from './runs.js'
import { assertPlain, assertValues } from './values.js'

type PageHeader = ReturnType<typeof parquetHeader>

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

/** Values of one column of a row group, in order, in parts of any size. */
type ReadValues = (group: number) => AsyncIterable<ArrayLike<unknown>>

/**
 * Reads a column of a Parquet file, or several together, as rows are requested; the bytes of other columns and of
 * skipped row groups are not read.
 * Of a column of strings, memory holds one page and what was read ahead of it, at most a few megabytes; of a column of
 * chats one row group.

 * @throws LayerpruneError, with the file, if it is cut short or corrupt, packed in an unknown way, or a column is
 *   missing or holds neither strings nor chats
 */
export async function* readParquet(
  file: AsyncBuffer,
  context: ColumnContext,
  { skip, shuffle, onRows }: ReadOrder = {},
): AsyncGenerator<DataRow> {
  const { metadata, schema } = await readMetadata(file, context.name)
  onRows?.(Number(metadata.num_rows))
  const names = new Set(schema.children.map(({ element }) => element.name))
  const columns = chooseColumns(context.column, (name) => names.has(name))
  const readers = columns.map((column) => openColumn(file, metadata, schema, { ...context, column }))
  const rowStarts = cumulativeRows(metadata)
  const order = shuffle?.(metadata.row_groups.length) ?? metadata.row_groups.keys()
  for (const group of order) {
    const rowCount = Number(metadata.row_groups[group]!.num_rows)
    if (skip !== undefined && skip.rows >= rowCount) {
      skip.rows -= rowCount
      continue
    }
    let position = rowStarts[group]!
    for await (const values of zip(readers.map((read) => eachValue(read(group))))) {
      position++
      if (skip !== undefined && skip.rows > 0) skip.rows--
      else yield { value: joinColumns(values), position }
    }
  }
}

/** @throws LayerpruneError if the file has no such column, or one of another type */
function openColumn(file: AsyncBuffer, metadata: FileMetaData, schema: SchemaTree, context: ColumnContext): ReadValues {
  const field = findColumn(schema, context)
  return isChatColumn(field)
    ? (group) => readChats(file, metadata, group, context)
    : (group) => readPages(file, locateChunk(metadata, group, [schema, field], context), context)
}

async function* eachValue(parts: AsyncIterable<ArrayLike<unknown>>): AsyncGenerator<unknown> {
  for await (const values of parts) yield* Array.from(values)
}

/** Columns of a row group have as many values as it has rows, which their readers check. */
async function* zip(columns: AsyncGenerator<unknown>[]): AsyncGenerator<unknown[]> {
  try {
    for (;;) {
      const values = await Promise.all(columns.map((column) => column.next()))
      if (values.some(({ done }) => done)) return
      yield values.map(({ value }) => value)
    }
  } finally {
    await Promise.all(columns.map((column) => column.return(undefined)))
  }
}

async function* readChats(
  file: AsyncBuffer,
  metadata: FileMetaData,
  group: number,
  { name, column }: ColumnContext,
): AsyncGenerator<unknown[]> {
  const rows = await readGroup(file, metadata, group, { name, columns: [column] })
  yield rows.map((row) => row[column])
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
    throw new LayerpruneError(`${where}: corrupt: expected ${expected} ${what} of '${column}', found ${number}`)
  }
  assertCount('values', rowCount, rows)
  if (nullCount !== undefined) assertCount('nulls', nullCount, nulls)
}

/** Decodes the pages of a column chunk in order, and keeps a dictionary page for the pages after it. */
function createPageDecoder({ decoder }: ColumnChunk) {
  const nullable = decoder.element.repetition_type === 'OPTIONAL'
  let dictionary: ReturnType<typeof convert> | undefined
  return (header: PageHeader, stored: Uint8Array): { values: ArrayLike<unknown>; nulls: number } | undefined => {
    const { page, header: unpacked, values: encoded } = unpackPage(stored, header, { ...decoder, nullable })
    const isDictionary = header.type === 'DICTIONARY_PAGE'
    if (isDictionary) assertPlain(page, header.dictionary_page_header!.num_values)
    const reader = { view: new DataView(page.buffer, page.byteOffset, page.byteLength), offset: 0 }
    const { data } = readPage(reader, unpacked, { ...decoder, codec: 'UNCOMPRESSED' }, dictionary, undefined, 0)
    if (!isDictionary) return data && { values: data, nulls: assertValues(data, header, encoded, nullable) }
    dictionary = data && convert(data, decoder)
    return undefined
  }
}

function findColumn({ children: fields }: SchemaTree, context: ColumnContext): SchemaTree {
  const field = fields.find((candidate) => candidate.element.name === context.column)
  if (!field) {
    const columns = fields.map((candidate) => ({
      name: candidate.element.name,
      isText: describeType(candidate) === 'string' || isChatColumn(candidate),
    }))
    throw missingColumnError(context, columns)
  }
  const type = describeType(field)
  if (type !== 'string' && !isChatColumn(field)) {
    throw new LayerpruneError(
      `column '${context.column}' of ${context.name}: expected a column of strings or chats, found ${type}`,
    )
  }
  return field
}

/** Whether a column holds lists of turns, each with a role and a content, or with a speaker and what was said. */
function isChatColumn({ children: [list], element }: SchemaTree): boolean {
  const turn = list?.children.length === 1 ? list.children[0]! : list
  const fields = turn?.children.map((field) => field.element.name) ?? []
  const isList = element.logical_type?.type === 'LIST' || element.converted_type === 'LIST'
  return isList && hasTurnFields((name) => fields.includes(name))
}

function describeType({ children, element }: SchemaTree): string {
  const annotation = element.logical_type?.type ?? element.converted_type
  if (children.length > 0) return annotation?.toLowerCase() ?? 'struct'
  if (element.repetition_type === 'REPEATED') return 'list'
  if (annotation === 'STRING' || annotation === 'UTF8' || annotation === 'ENUM') return 'string'
  if (annotation) return annotation.toLowerCase()
  return element.type === 'BYTE_ARRAY' ? 'binary' : (element.type ?? 'nothing').toLowerCase()
}
