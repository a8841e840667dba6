import { type AsyncBuffer, type FileMetaData, parquetSchema, type SchemaTree } from 'hyparquet'
import { parquetPlan } from 'hyparquet/src/plan.js'
import { assembleAsync, asyncGroupToRows, readRowGroup } from 'hyparquet/src/rowgroup.js'
import { getMaxDefinitionLevel, getMaxRepetitionLevel, getTreePath } from 'hyparquet/src/schema.js'
import { LayerpruneError } from '../../../base/errors.js'
import { isObject } from '../../../base/is-object.js'
import type { DataSource } from '../../../files/byte-source.js'
import { ChunkBytes } from './chunk.js'
import { PAGE_COMPRESSORS } from './compressors.js'
import { cumulativeRows, explain, readMetadata } from './footer.js'
import { assertPageHeader } from './page.js'
import { assertLevels } from './runs.js'

/**
 * Reads whole rows of a Parquet file, lists and structs included, one row group at a time.
 * @throws LayerpruneError, with the file, if it is cut short or corrupt, or a whole number is too large for JavaScript
 */
export async function* readParquetRecords(source: DataSource): AsyncGenerator<Record<string, unknown>> {
  const { name } = source
  const file = await source.openRandomAccess()
  try {
    const { metadata } = await readMetadata(file, name)
    for (const group of metadata.row_groups.keys()) yield* await readGroup(file, metadata, group, { name })
  } finally {
    await file.close()
  }
}

/**
 * Reads the rows of a row group, with all columns or with some of them.
 * @throws LayerpruneError, with the file, if it is corrupt, or a whole number is too large for JavaScript
 */
export async function readGroup(
  file: AsyncBuffer,
  metadata: FileMetaData,
  group: number,
  { name, columns }: { name: string; columns?: string[] },
): Promise<Record<string, unknown>[]> {
  const rowStart = cumulativeRows(metadata)[group]!
  const count = Number(metadata.row_groups[group]!.num_rows)
  const rowEnd = rowStart + count
  const rows = await decodeRows({ file, metadata, rowStart, rowEnd, columns }).catch((cause) => {
    throw explain(cause, `cannot read rows ${rowStart} to ${rowEnd} of ${name}`)
  })
  if (rows.length !== count) {
    throw new LayerpruneError(`${name}: corrupt: expected ${count} rows in a row group, found ${rows.length}`)
  }
  return rows.map((row) => toPlain(row, name) as Record<string, unknown>)
}

interface RowRange {
  file: AsyncBuffer
  metadata: FileMetaData
  rowStart: number
  /** exclusive */
  rowEnd: number
  columns: string[] | undefined
}

/** The library reads columns at once: if several fail, the first error is reported and the others belong to no one. */
async function decodeRows({ columns, ...range }: RowRange): Promise<unknown[]> {
  const { file, metadata } = range
  const options = { ...range, ...(columns && { columns }), compressors: PAGE_COMPRESSORS }
  const plan = parquetPlan(options)
  const schema = parquetSchema(metadata)
  const rows: unknown[] = []
  for (const group of plan.groups) {
    for (const chunk of group.chunks) await assertPages(file, chunk, schema)
    const asyncColumns = group.chunks.flatMap((chunk) =>
      disown(readRowGroup(options, plan, { ...group, chunks: [chunk] }).asyncColumns),
    )
    const assembled = assembleAsync({ ...group, asyncColumns }, schema)
    disown(assembled.asyncColumns)
    rows.push(...(await asyncGroupToRows(assembled, 0, group.groupRows, undefined, 'object')))
  }
  return rows
}

/** An error of a column that nobody waits for any more does not end the program. */
function disown(columns: AsyncColumn[]): AsyncColumn[] {
  for (const { data } of columns) data.catch(() => {})
  return columns
}

type AsyncColumn = ReturnType<typeof readRowGroup>['asyncColumns'][number]
type Chunk = ReturnType<typeof parquetPlan>['groups'][number]['chunks'][number]

/** The decoder trusts the numbers of page headers and the lengths of runs, and would reserve all memory for some. */
async function assertPages(file: AsyncBuffer, { range, columnMetadata }: Chunk, schema: SchemaTree): Promise<void> {
  const { codec, num_values: count, path_in_schema: path } = columnMetadata
  const levels = getTreePath(schema, path)
  const widthOf = (most: number) => Math.ceil(Math.log2(most + 1))
  const widths: [number, number] = [widthOf(getMaxRepetitionLevel(levels)), widthOf(getMaxDefinitionLevel(levels))]
  const bytes = new ChunkBytes(file, range)
  let left = Number(count)
  while (bytes.left > 0) {
    const header = await bytes.readHeader()
    assertPageHeader(header, left)
    const page = await bytes.take(header.compressed_page_size)
    assertLevels(page, header, { codec, compressors: PAGE_COMPRESSORS, widths })
    left -= (header.data_page_header ?? header.data_page_header_v2)?.num_values ?? 0
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
