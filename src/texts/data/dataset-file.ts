import type { DataSource } from '../../files/byte-source.js'
import type { DataKind } from './kind.js'

export interface DatasetFile {
  source: DataSource
  kind: DataKind
  /** Omitted if it is not known before the file is read. */
  sizeBytes?: number
}
