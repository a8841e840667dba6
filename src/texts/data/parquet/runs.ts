import type { parquetHeader } from 'hyparquet/src/column.js'
import { decompressPage } from 'hyparquet/src/datapage.js'

type PageHeader = ReturnType<typeof parquetHeader>
type Compression = Parameters<typeof decompressPage>

interface Packing {
  codec: Compression[2]
  compressors?: Compression[3]
  /** Whether the column has a level per value that says if it is null. */
  nullable: boolean
}

const DICTIONARY = ['PLAIN_DICTIONARY', 'RLE_DICTIONARY']
/** Values are bit-packed in groups of eight. */
const GROUP = 8
const LENGTH_BYTES = 4

/** A page that is not packed. */
export interface UnpackedPage {
  page: Uint8Array
  /** As in a page that never was packed. */
  header: PageHeader
  /** What follows the levels. */
  values: Uint8Array
}

/**
 * Unpacks a page and checks its runs of repeated values (the RLE and bit-packing hybrid of the Parquet
 * format): the decoder trusts the stated length, so a run of two thousand million values would take all memory.
 * @param page  as it is stored, with its levels
 * @throws Error if a run is longer than the page's number of values
 */
export function unpackPage(
  page: Uint8Array,
  header: PageHeader,
  { codec, compressors, nullable }: Packing,
): UnpackedPage {
  const { data_page_header: page1, data_page_header_v2: page2, uncompressed_page_size: sizeBytes } = header
  if (header.type === 'DATA_PAGE' && page1) {
    const bytes = decompressPage(page, sizeBytes, codec, compressors)
    let offset = 0
    if (nullable) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      // the decoder continues to the last value, whatever length is stated
      assertRuns(bytes.subarray(LENGTH_BYTES), 1, page1.num_values)
      offset = LENGTH_BYTES + view.getUint32(0, true)
    }
    const values = bytes.subarray(offset)
    assertIndexes(values, page1.encoding, page1.num_values)
    return { page: bytes, header: { ...header, compressed_page_size: bytes.length }, values }
  }
  if (header.type === 'DATA_PAGE_V2' && page2) {
    const { repetition_levels_byte_length: before, definition_levels_byte_length: length } = page2
    const levels = page.subarray(0, before + length)
    const packed = page.subarray(before + length)
    const values =
      page2.is_compressed === false ? packed : decompressPage(packed, sizeBytes - levels.length, codec, compressors)
    const bytes = new Uint8Array(Buffer.concat([levels, values]))
    if (nullable) assertRuns(bytes.subarray(before), 1, page2.num_values)
    assertIndexes(values, page2.encoding, page2.num_values)
    return {
      page: bytes,
      values,
      header: {
        ...header,
        compressed_page_size: bytes.length,
        data_page_header_v2: { ...page2, is_compressed: false },
      },
    }
  }
  const bytes = decompressPage(page, sizeBytes, codec, compressors)
  return { page: bytes, header: { ...header, compressed_page_size: bytes.length }, values: bytes }
}

/**
 * Checks the runs of a page of a column within lists or structs.
 * @param packing.widths  bits of a repetition level and of a definition level, 0 if the page has none
 * @throws Error if a run is longer than the page's number of values
 */
export function assertLevels(
  page: Uint8Array,
  header: PageHeader,
  { codec, compressors, widths }: Omit<Packing, 'nullable'> & { widths: [number, number] },
): void {
  const { data_page_header: page1, data_page_header_v2: page2, uncompressed_page_size: sizeBytes } = header
  if (header.type === 'DATA_PAGE' && page1) {
    const bytes = decompressPage(page, sizeBytes, codec, compressors)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let offset = 0
    for (const width of widths.filter((width) => width > 0)) {
      assertRuns(bytes.subarray(offset + LENGTH_BYTES), width, page1.num_values)
      offset += LENGTH_BYTES + view.getUint32(offset, true)
    }
    assertIndexes(bytes.subarray(offset), page1.encoding, page1.num_values)
  } else if (header.type === 'DATA_PAGE_V2' && page2) {
    const { repetition_levels_byte_length: before, definition_levels_byte_length: length } = page2
    for (const [index, width] of widths.entries()) {
      if (width > 0) assertRuns(page.subarray(index * before), width, page2.num_values)
    }
    const packed = page.subarray(before + length)
    const values =
      page2.is_compressed === false ? packed : decompressPage(packed, sizeBytes - before - length, codec, compressors)
    assertIndexes(values, page2.encoding, page2.num_values)
  }
}

/** Dictionary indices: the width of one, then their runs. */
function assertIndexes(bytes: Uint8Array, encoding: string, count: number): void {
  if (DICTIONARY.includes(encoding) && bytes.length > 0) assertRuns(bytes.subarray(1), bytes[0]!, count)
}

/** @param width  bits of a value */
function assertRuns(bytes: Uint8Array, width: number, count: number): void {
  const most = GROUP * Math.ceil(count / GROUP)
  let offset = 0
  for (let seen = 0; seen < count && offset < bytes.length; ) {
    let header = 0
    for (let shift = 0, byte = 0x80; byte & 0x80 && offset < bytes.length; shift += 7) {
      byte = bytes[offset++]!
      header += (byte & 0x7f) * 2 ** shift
    }
    const packed = header % 2 === 1
    const length = Math.floor(header / 2) * (packed ? GROUP : 1)
    if (length > most) throw new Error(`corrupt: a run of ${length} values in a page of ${count}`)
    offset += packed ? (length * width) / GROUP : Math.ceil(width / GROUP)
    seen += length
  }
}
