import { parquetReadObjects } from 'hyparquet'
import type { DataSource } from '../byte-source.js'
import { LayerpruneError } from '../errors.js'
import { isObject } from '../is-object.js'
import { explain, readMetadata } from './parquet.js'
import { PAGE_COMPRESSORS } from './parquet-compressors.js'

/**
 * Reads whole rows of a Parquet file, lists and structs included, one row group at a time.
 * @throws LayerpruneError, with the file, if it is cut short or corrupt, or a whole number is too large for JavaScript
 */
export async function* readParquetRecords(source: DataSource): AsyncGenerator<Record<string, unknown>> {
  const { name } = source
  const file = await source.openRandomAccess()
  try {
    const { metadata } = await readMetadata(file, name)
    let rowStart = 0
    for (const { num_rows: count } of metadata.row_groups) {
      const rowEnd = rowStart + Number(count)
      const rows = await parquetReadObjects({
        ...{ file, metadata, rowStart, rowEnd },
        compressors: PAGE_COMPRESSORS,
      }).catch((cause) => {
        throw explain(cause, `cannot read rows ${rowStart} to ${rowEnd} of ${name}`)
      })
      if (rows.length !== Number(count)) {
        throw new LayerpruneError(
          `${name}: corrupt: expected ${count} rows in a row group, found ${rows.length}`,
        )
      }
      for (const row of rows) yield toPlain(row, name) as Record<string, unknown>
      rowStart = rowEnd
    }
  } finally {
    await file.close()
  }
}

/** Whole numbers of 64 bits as numbers, typed arrays as lists. */
function toPlain(value: unknown, name: string): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value)
    if (Number.isSafeInteger(number)) return number
    throw new LayerpruneError(`${name}: the whole number ${value} is too large`)
  }
  if (ArrayBuffer.isView(value)) return Array.from(value as Int32Array, (item) => toPlain(item, name))
  if (Array.isArray(value)) return value.map((item) => toPlain(item, name))
  if (isObject(value) && !(value instanceof Date)) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toPlain(item, name)]))
  }
  return value ?? null
}
