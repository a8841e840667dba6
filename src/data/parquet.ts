import type { AsyncBuffer, FileMetaData, SchemaTree } from 'hyparquet'
import { parquetMetadataAsync, parquetSchema } from 'hyparquet'
import { parquetHeader, readPage } from 'hyparquet/src/column.js'
import { convert, DEFAULT_PARSERS } from 'hyparquet/src/convert.js'
import { compressors } from 'hyparquet-compressors'
import { LayerpruneError } from '../errors.js'
import { assertPageHeader } from './parquet-page.js'
import { unpackPage } from './parquet-runs.js'
import { type DataRow, missingColumnError, type ReadContext, type RowSkip } from './row.js'
import { decodeUtf8 } from './utf8.js'

/** Footer length and magic number. */
const FOOTER_TAIL_BYTES = 8
/** The first read of a column chunk; each later one is twice as long, so that few rows cost few bytes. */
const FIRST_READ_BYTES = 1 << 16
const MAX_READ_BYTES = 1 << 22
/** A page's header holds the least and the greatest value, and is rarely longer. */
const HEADER_BYTES = 1 << 12

/** One column's part of a row group. */
interface ColumnChunk {
  /** For messages: the file and the row group. */
  where: string
  rowCount: number
  startByte: number
  /** exclusive */
  endByte: number
  decoder: Parameters<typeof readPage>[2]
}

/**
 * Reads one string column of a parquet file, page by page as rows are asked for; the bytes of other columns are
 * not read, nor those of row groups that are skipped.
 * Memory holds one page of the column and what was read ahead of it, at most a few megabytes.
 * @param options.skip     rows still to be passed over; counted down
 * @param options.shuffle  order in which row groups are read, from their number; their own where left out
 * @throws LayerpruneError, with the file, where it is cut short or corrupt, packed in an unknown way, or the
 * column is missing or no string column
 */
export async function* readParquet(
  file: AsyncBuffer,
  context: ReadContext,
  { skip, shuffle }: { skip?: RowSkip | undefined; shuffle?: ((count: number) => number[]) | undefined } = {},
): AsyncGenerator<DataRow> {
  const { metadata, schema } = await readMetadata(file, context.name)
  const field = findColumn(schema, context)
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

async function readMetadata(
  file: AsyncBuffer,
  name: string,
): Promise<{ metadata: FileMetaData; schema: SchemaTree }> {
  try {
    const metadata = await parquetMetadataAsync(file, { initialFetchSize: FOOTER_TAIL_BYTES })
    return { metadata, schema: parquetSchema(metadata) }
  } catch (cause) {
    throw explain(cause, `${name}: not a whole parquet file`)
  }
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
  { name, column }: ReadContext,
): ColumnChunk {
  const where = `${name}, row group ${group}`
  const { columns, num_rows: rowCount } = metadata.row_groups[group]!
  const found = columns.find(({ meta_data }) => meta_data?.path_in_schema?.[0] === column)
  const chunk = found?.meta_data
  if (!chunk || found.file_path) {
    throw new LayerpruneError(`${where}: corrupt: column '${column}' is not stored in the file`)
  }
  const startByte = Number(chunk.dictionary_page_offset || chunk.data_page_offset)
  const parsers = {
    ...DEFAULT_PARSERS,
    stringFromBytes: (bytes: Uint8Array) => bytes && decodeUtf8(bytes, name),
  }
  return {
    where,
    rowCount: Number(rowCount),
    startByte,
    endByte: startByte + Number(chunk.total_compressed_size),
    decoder: {
      pathInSchema: chunk.path_in_schema,
      element: schemaPath[1].element,
      schemaPath,
      type: chunk.type,
      codec: chunk.codec,
      compressors,
      parsers,
    },
  }
}

/** Decodes a column chunk a page at a time, as many as the row group has rows for. */
async function* readPages(file: AsyncBuffer, chunk: ColumnChunk, { column }: ReadContext) {
  const { where, decoder, rowCount } = chunk
  const fail = (cause: unknown) => explain(cause, `cannot read column '${column}' of ${where}`)
  const bytes = new ChunkBytes(file, chunk)
  const nullable = decoder.element.repetition_type === 'OPTIONAL'
  let dictionary: ReturnType<typeof convert> | undefined
  let rows = 0
  while (rows < rowCount && bytes.left > 0) {
    let values: ArrayLike<unknown> | undefined
    try {
      const header = await bytes.readHeader()
      assertPageHeader(header, rowCount)
      const stored = await bytes.take(header.compressed_page_size)
      const { page, header: plain } = unpackPage(stored, header, { ...decoder, nullable })
      const reader = { view: new DataView(page.buffer, page.byteOffset, page.byteLength), offset: 0 }
      const codec = header.type === 'DICTIONARY_PAGE' ? decoder.codec : 'UNCOMPRESSED'
      const { data } = readPage(reader, plain, { ...decoder, codec }, dictionary, undefined, 0)
      if (header.type === 'DICTIONARY_PAGE') dictionary = data && convert(data, decoder)
      else values = data
    } catch (cause) {
      throw fail(cause)
    }
    if (!values) continue
    rows += values.length
    if (rows > rowCount) break
    yield values
  }
  if (rows !== rowCount) {
    throw new LayerpruneError(
      `${where}: corrupt: expected ${rowCount} values of '${column}', found ${rows > rowCount ? 'more' : rows}`,
    )
  }
}

/** The bytes of a column chunk in order, read ahead in growing steps. */
class ChunkBytes {
  #held = new Uint8Array(0)
  /** Where the next read begins. */
  #position: number
  #readBytes = FIRST_READ_BYTES
  readonly #file: AsyncBuffer
  readonly #endByte: number

  constructor(file: AsyncBuffer, { startByte, endByte }: ColumnChunk) {
    this.#file = file
    this.#position = startByte
    this.#endByte = endByte
  }

  /** Bytes that are not taken yet. */
  get left(): number {
    return this.#held.length + this.#endByte - this.#position
  }

  async readHeader(): Promise<ReturnType<typeof parquetHeader>> {
    for (let needed = HEADER_BYTES; ; needed *= 2) {
      await this.#fill(Math.min(needed, this.left))
      const { buffer, byteOffset, byteLength } = this.#held
      const reader = { view: new DataView(buffer, byteOffset, byteLength), offset: 0 }
      try {
        const header = parquetHeader(reader)
        this.#held = this.#held.subarray(reader.offset)
        return header
      } catch (cause) {
        if (this.#position >= this.#endByte) throw cause
      }
    }
  }

  async take(length: number): Promise<Uint8Array> {
    if (!(length >= 0 && length <= this.left)) {
      throw new Error(`a page of ${length} bytes, where ${this.left} are left`)
    }
    await this.#fill(length)
    const taken = this.#held.subarray(0, length)
    this.#held = this.#held.subarray(length)
    return taken
  }

  async #fill(length: number): Promise<void> {
    if (this.#held.length >= length) return
    const missing = Math.max(length - this.#held.length, this.#readBytes)
    const end = Math.min(this.#position + missing, this.#endByte)
    const read = new Uint8Array(await this.#file.slice(this.#position, end))
    this.#position = end
    this.#readBytes = Math.min(2 * this.#readBytes, MAX_READ_BYTES)
    this.#held = this.#held.length === 0 ? read : new Uint8Array(Buffer.concat([this.#held, read]))
  }
}

/** What the library trips over while it follows wrong numbers says nothing to a person but that they are wrong. */
function explain(cause: unknown, what: string): unknown {
  if (!(cause instanceof Error) || cause instanceof LayerpruneError) return cause
  const tripped = cause instanceof TypeError || cause instanceof RangeError
  const reason = tripped ? 'corrupt' : cause.message.replace(/\s+/g, ' ')
  return new LayerpruneError(`${what}: ${reason}`, { cause })
}

function findColumn({ children: fields }: SchemaTree, context: ReadContext): SchemaTree {
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
