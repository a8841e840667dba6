import { readCsv } from './csv.js'
import { gunzip } from './gzip.js'
import { readJson } from './json.js'
import { readJsonl } from './jsonl.js'
import type { DataKind } from './kind.js'
import { readParquet } from './parquet.js'
import type { DataRow, ReadContext } from './row.js'
import type { DataSource } from './source.js'
import { readTextDocument, readTextLines } from './text.js'

/** Reads the rows of one file, wherever it lies; the file is closed when the iteration ends, early or not. */
export async function* readRows(
  source: DataSource,
  kind: DataKind,
  options: { column: string; textLines: boolean },
): AsyncGenerator<DataRow> {
  const context: ReadContext = { name: source.name, column: options.column }
  if (kind.format === 'parquet') {
    const file = await source.openRandomAccess()
    try {
      yield* readParquet(file, context)
    } finally {
      await file.close()
    }
    return
  }
  const bytes = kind.gzipped ? gunzip(source.readBytes(), source.name) : source.readBytes()
  switch (kind.format) {
    case 'jsonl':
      return yield* readJsonl(bytes, context)
    case 'json':
      return yield* readJson(bytes, context)
    case 'csv':
      return yield* readCsv(bytes, { ...context, delimiter: ',' })
    case 'tsv':
      return yield* readCsv(bytes, { ...context, delimiter: '\t' })
    case 'text':
      return yield* options.textLines
        ? readTextLines(bytes, source.name)
        : readTextDocument(bytes, source.name)
  }
}
