import type { parquetHeader } from 'hyparquet/src/column.js'
import { MAX_ROW_BYTES } from '../row.js'

type PageHeader = ReturnType<typeof parquetHeader>

/** A page is held whole; it is far smaller than this unless one text fills it. */
const MAX_PAGE_BYTES = MAX_ROW_BYTES
const MAX_PAGE_VALUES = 1 << 24
/** A string in a dictionary is preceded by its length. */
const MIN_STRING_BYTES = 4

/**
 * Checks that a page's header is possible for a page of at most `rowCount` rows: the decoder trusts its numbers, and
 * would run for ever on some and reserve all memory for others.
 * @throws Error that says which number is impossible
 */
export function assertPageHeader(header: PageHeader, rowCount: number): void {
  const { compressed_page_size: packedBytes, uncompressed_page_size: bytes } = header
  assertWithin('compressed size', packedBytes, MAX_PAGE_BYTES)
  assertWithin('size', bytes, MAX_PAGE_BYTES)
  const mostValues = Math.min(rowCount, MAX_PAGE_VALUES)
  const { data_page_header: page, data_page_header_v2: page2, dictionary_page_header: dictionary } = header
  if (header.type === 'DATA_PAGE' && page) {
    assertWithin('number of values', page.num_values, mostValues)
  } else if (header.type === 'DATA_PAGE_V2' && page2) {
    assertWithin('number of values', page2.num_values, mostValues)
    assertWithin('number of nulls', page2.num_nulls, page2.num_values)
    assertWithin('number of rows', page2.num_rows, mostValues)
    assertWithin('length of its definition levels', page2.definition_levels_byte_length, packedBytes)
    assertWithin('length of its repetition levels', page2.repetition_levels_byte_length, packedBytes)
  } else if (header.type === 'DICTIONARY_PAGE' && dictionary) {
    assertWithin('number of strings', dictionary.num_values, bytes / MIN_STRING_BYTES)
  } else if (header.type !== 'INDEX_PAGE') {
    throw new Error('corrupt: a page that is not of the kind that its header states')
  }
}

function assertWithin(what: string, value: unknown, most: number): void {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most) return
  throw new Error(
    `corrupt: a page's ${what} is ${typeof value === 'number' ? value : 'missing'}, expected at most ${Math.floor(most)}`,
  )
}
