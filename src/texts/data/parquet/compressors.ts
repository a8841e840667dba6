import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import type { Compressors } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { unzstdWhole } from '../zstd.js'

/**
 * How pages are unpacked, by codec, each to no more than the size that the page states: other decoders continue as
 * long as there is data, and a few bytes can unpack to gigabytes.
 */
export const PAGE_COMPRESSORS: Compressors = {
  ...compressors,
  GZIP: (packed, sizeBytes) => gunzipSync(packed, limit(sizeBytes)),
  BROTLI: (packed, sizeBytes) => brotliDecompressSync(packed, limit(sizeBytes)),
  ZSTD: unzstdWhole,
}

function limit(sizeBytes: number) {
  return { maxOutputLength: Math.max(1, sizeBytes) }
}
