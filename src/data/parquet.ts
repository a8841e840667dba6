import type { AsyncBuffer, FileMetaData, ParquetScan, SchemaTree } from 'hyparquet'
import { parquetMetadataAsync, parquetScan, parquetSchema } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { LayerpruneError } from '../errors.js'
import { type DataRow, missingColumnError, type ReadContext } from './row.js'
import { decodeUtf8 } from './utf8.js'

/** Footer length and magic number. */
const FOOTER_TAIL_BYTES = 8

/**
 * Reads one string column of a parquet file, row group by row group; the bytes of other columns are not read.
 * Memory holds one column chunk: the column's values of one row group, packed and unpacked.
 * @throws LayerpruneError, with the file, where it is cut short or corrupt, packed in an unknown way, or the
 * column is missing or no string column
 */
export async function* readParquet(file: AsyncBuffer, context: ReadContext): AsyncGenerator<DataRow> {
  const { name, column } = context
  const metadata = await readMetadata(file, name)
  checkColumn(metadata, context)
  // The parsers also read the footer's statistics, which may end inside a character: hence only here.
  const parsers = { stringFromBytes: (bytes: Uint8Array) => bytes && decodeUtf8(bytes, name) }
  const scan = await parquetScan({ file, metadata, columns: [column], compressors, parsers }).catch(
    (cause) => {
      throw explain(cause, `${name}: corrupt`)
    },
  )
  for (const [group, { rowStart, rowEnd }] of scan.ranges.entries()) {
    const values = await readGroup(scan, column, rowStart, rowEnd, `${name}, row group ${group}`)
    for (let i = 0; i < values.length; i++) yield { value: values[i], position: rowStart + i + 1 }
  }
}

async function readMetadata(file: AsyncBuffer, name: string): Promise<FileMetaData> {
  try {
    return await parquetMetadataAsync(file, { initialFetchSize: FOOTER_TAIL_BYTES })
  } catch (cause) {
    throw explain(cause, `${name}: not a whole parquet file`)
  }
}

async function readGroup(scan: ParquetScan, column: string, rowStart: number, rowEnd: number, where: string) {
  let values: ArrayLike<unknown>
  try {
    values = await scan.readColumn({ column, rowStart, rowEnd })
  } catch (cause) {
    throw explain(cause, `cannot read column '${column}' of ${where}`)
  }
  if (values.length !== rowEnd - rowStart) {
    throw new LayerpruneError(
      `${where}: corrupt: expected ${rowEnd - rowStart} values of '${column}', found ${values.length}`,
    )
  }
  return values
}

function explain(cause: unknown, what: string): unknown {
  if (!(cause instanceof Error) || cause instanceof LayerpruneError) return cause
  return new LayerpruneError(`${what}: ${cause.message.replace(/\s+/g, ' ')}`, { cause })
}

function checkColumn(metadata: FileMetaData, context: ReadContext): void {
  const fields = parquetSchema(metadata).children
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
}

function describeType({ children, element }: SchemaTree): string {
  const annotation = element.logical_type?.type ?? element.converted_type
  if (children.length > 0) return annotation?.toLowerCase() ?? 'struct'
  if (element.repetition_type === 'REPEATED') return 'list'
  if (annotation === 'STRING' || annotation === 'UTF8' || annotation === 'ENUM') return 'string'
  if (annotation) return annotation.toLowerCase()
  return element.type === 'BYTE_ARRAY' ? 'binary' : (element.type ?? 'nothing').toLowerCase()
}
