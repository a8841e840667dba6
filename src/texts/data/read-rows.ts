import type { DataSource } from '../../files/byte-source.js'
import { readJsonl } from './jsonl.js'
import type { DataFormat, DataKind } from './kind.js'
import type { ColumnContext, DataRow, ReadOrder } from './row.js'

/** Reads the rows of one file, wherever it is; the file is closed when the iteration ends, early or not. */
export async function* readRows(
  source: DataSource,
  kind: DataKind,
  options: { column: string; textLines: boolean } & ReadOrder,
): AsyncGenerator<DataRow> {
  const context: ColumnContext = { name: source.name, column: options.column }
  if (kind.format === 'parquet') {
    const { readParquet } = await import('./parquet/parquet.js')
    const file = await source.openRandomAccess()
    try {
      yield* readParquet(file, context, options)
    } finally {
      await file.close()
    }
    return
  }
  const rows = await readStream(source, { ...kind, format: kind.format }, context, options)
  for await (const row of rows) {
    if (options.skip !== undefined && options.skip.rows > 0) options.skip.rows--
    else yield row
  }
}

/** Loads the reader of a format when a file has it. */
async function readStream(
  source: DataSource,
  { format, packing, isLines }: DataKind & { format: Exclude<DataFormat, 'parquet'> },
  context: ColumnContext,
  { textLines, signal }: { textLines: boolean; signal?: AbortSignal | undefined },
): Promise<AsyncGenerator<DataRow>> {
  const bytes = unpack(source, packing, signal)
  switch (format) {
    case 'jsonl':
      return readJsonl(bytes, context)
    case 'json': {
      const { readJson } = await import('./json.js')
      return readJson(bytes, context)
    }
    case 'csv':
    case 'tsv': {
      const { readCsv } = await import('./csv.js')
      return readCsv(bytes, { ...context, delimiter: format === 'csv' ? ',' : '\t' })
    }
    case 'text': {
      const { readTextDocument, readTextLines } = await import('./text.js')
      return textLines || isLines ? readTextLines(bytes, source.name) : readTextDocument(bytes, source.name)
    }
  }
}

/** The bytes of a file without its packing; `signal` ends them between chunks, as a few packed ones may hold many. */
export async function* unpack(
  source: DataSource,
  packing: DataKind['packing'],
  signal?: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of await openUnpacked(source, packing)) {
    signal?.throwIfAborted()
    yield chunk
  }
}

async function openUnpacked(source: DataSource, packing: DataKind['packing']): Promise<AsyncIterable<Uint8Array>> {
  const bytes = source.readBytes()
  if (packing === 'gzip') return (await import('./gzip.js')).gunzip(bytes, source.name)
  return packing === 'zstd' ? (await import('./zstd.js')).unzstd(bytes, source.name) : bytes
}
