import type { parquetHeader } from 'hyparquet/src/column.js'

type PageHeader = ReturnType<typeof parquetHeader>

/** Each string is preceded by its length. */
const LENGTH_BYTES = 4

/**
 * Checks that each decoded value of a data page is a string, or null as often as the page says: the decoder also
 * accepts indices outside the dictionary, numbers and missing values.
 * @param encoded  the values as they are stored
 * @returns how many are null
 * @throws Error that says what is wrong
 */
export function assertValues(
  values: ArrayLike<unknown>,
  { data_page_header: page, data_page_header_v2: page2 }: PageHeader,
  encoded: Uint8Array,
  nullable: boolean,
): number {
  let nulls = 0
  for (let i = 0; i < values.length; i++) {
    if (values[i] === null && nullable) nulls++
    else if (typeof values[i] !== 'string') throw new Error('corrupt: a value that is not a string')
  }
  const stated = page2?.num_nulls ?? page?.statistics?.null_count
  if (stated !== undefined && Number(stated) !== nulls) {
    throw new Error(`corrupt: expected ${stated} nulls in a page, found ${nulls}`)
  }
  if ((page ?? page2)?.encoding === 'PLAIN') assertPlain(encoded, values.length - nulls)
  return nulls
}

/** Checks that a page holds exactly `count` strings, each after its length; throws Error if not. */
export function assertPlain(bytes: Uint8Array, count: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let offset = 0
  let found = 0
  for (; offset + LENGTH_BYTES <= bytes.length; found++) {
    offset += LENGTH_BYTES + view.getUint32(offset, true)
  }
  if (offset !== bytes.length) throw new Error('corrupt: strings that do not end where their page ends')
  if (found !== count) throw new Error(`corrupt: expected ${count} strings in a page, found ${found}`)
}
