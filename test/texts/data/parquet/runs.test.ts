import { describe, expect, it } from 'vitest'
import { unpackPage } from '../../../../src/texts/data/parquet/runs.js'

type Header = Parameters<typeof unpackPage>[1]
const PLAIN = { codec: 'UNCOMPRESSED', nullable: true } as const

/** A page whose levels, and places in the dictionary where `indexes` is given, are these bytes. */
function pageOf(count: number, levels: number[], indexes?: number[]) {
  const bytes = Uint8Array.from([levels.length, 0, 0, 0, ...levels, ...(indexes ?? [])])
  const encoding = indexes ? 'RLE_DICTIONARY' : 'PLAIN'
  const header = {
    type: 'DATA_PAGE',
    compressed_page_size: bytes.length,
    uncompressed_page_size: bytes.length,
    data_page_header: { num_values: count, encoding },
  } as Header
  return () => unpackPage(bytes, header, PLAIN)
}

/** As the format writes a number: seven bits a byte. */
function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))]
}

describe('unpackPage', () => {
  it('takes runs that add up to the values of the page', () => {
    expect(pageOf(16, [...varint(16 << 1), 1])).not.toThrow()
    expect(pageOf(9, [...varint((2 << 1) | 1), 0xff, 0x01])).not.toThrow()
    expect(pageOf(300, [...varint(300 << 1), 1], [3, ...varint(300 << 1), 5])).not.toThrow()
  })

  it.each([
    ['repeated levels', pageOf(16, [...varint(2 ** 31 - 2), 1]), 'a run of 1073741823 values in a page of 16'],
    ['packed levels', pageOf(16, [...varint(2 ** 20 + 1), 1]), 'a run of 4194304 values in a page of 16'],
    [
      'repeated places',
      pageOf(16, [...varint(16 << 1), 1], [3, ...varint(2 ** 30), 5]),
      'a run of 536870912 values in a page of 16',
    ],
  ])('refuses a run that is longer than the page: %s', (_, unpack, message) => {
    expect(unpack).toThrow(`corrupt: ${message}`)
  })
})
