import type { AsyncBuffer, FileMetaData, SchemaTree } from 'hyparquet'
import { parquetMetadata, parquetSchema } from 'hyparquet'
import { LayerpruneError } from '../../../base/errors.js'
import { MAX_ROW_BYTES } from '../row.js'
import { assertThriftCounts } from './thrift-counts.js'

/** Footer length and magic number. */
const FOOTER_TAIL_BYTES = 8
const MAGIC = Buffer.from('PAR1').readUInt32LE()
/** A footer is held whole; it has a few hundred bytes per row group and column. */
const MAX_FOOTER_BYTES = MAX_ROW_BYTES

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

/** Internal errors of the library on wrong numbers tell a user only that the file is corrupt. */
export function explain(cause: unknown, what: string): unknown {
  if (!(cause instanceof Error) || cause instanceof LayerpruneError) return cause
  const tripped = cause instanceof TypeError || cause instanceof RangeError
  const reason = tripped || cause.message.includes('undefined') ? 'corrupt' : cause.message.replace(/\s+/g, ' ')
  return new LayerpruneError(`${what}: ${reason}`, { cause })
}

/** First row of each row group, 0-based in the file. */
export function cumulativeRows({ row_groups: groups }: FileMetaData): number[] {
  let rows = 0
  return groups.map(({ num_rows: count }) => {
    rows += Number(count)
    return rows - Number(count)
  })
}
