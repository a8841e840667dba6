import { brotliCompressSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { PAGE_COMPRESSORS } from '../../../src/texts/data/parquet/compressors.js'
import { assertPageHeader } from '../../../src/texts/data/parquet/page.js'
import { assertThriftCounts } from '../../../src/texts/data/parquet/thrift-counts.js'
import { MAX_ROW_BYTES } from '../../../src/texts/data/row.js'
import { unzstd } from '../../../src/texts/data/zstd.js'
import { collect, inPieces } from './helpers.js'

/** A Zstandard frame without content size, of blocks that each are one byte repeated; `window` is its descriptor. */
function zstdFrame(blocks: number, window = 0x38, blockBytes = 1 << 17): Buffer {
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, window])
  const block = (isLast: boolean) => {
    const bytes = Buffer.from([0, 0, 0, 0x61])
    bytes.writeUIntLE((blockBytes << 3) | (1 << 1) | Number(isLast), 0, 3)
    return bytes
  }
  return Buffer.concat([header, ...Array.from({ length: blocks }, (_, index) => block(index === blocks - 1))])
}

describe('PAGE_COMPRESSORS', () => {
  const zeros = Buffer.alloc(1 << 22)

  it.each([
    ['GZIP', gzipSync(zeros)],
    ['BROTLI', brotliCompressSync(zeros)],
    ['ZSTD', zstdFrame(32)],
  ] as const)('unpacks a page to the size that it states, and no further: %s', (codec, packed) => {
    const unpack = PAGE_COMPRESSORS[codec]!
    expect(unpack(packed, 1 << 22)).toHaveLength(1 << 22)
    expect(() => unpack(packed, 1000)).toThrow()
  })
})

describe('assertPageHeader', () => {
  it('takes no page that is longer than a row of a text file may be', () => {
    const page = (uncompressed_page_size: number) =>
      ({
        type: 'DATA_PAGE',
        compressed_page_size: 100,
        uncompressed_page_size,
        data_page_header: { num_values: 1 },
      }) as Parameters<typeof assertPageHeader>[0]
    expect(() => assertPageHeader(page(MAX_ROW_BYTES), 1)).not.toThrow()
    expect(() => assertPageHeader(page(MAX_ROW_BYTES + 1), 1)).toThrow(
      "a page's size is 268435457, expected at most 268435456",
    )
  })
})

describe('assertThriftCounts', () => {
  it('ends with the structure', () => {
    // a number, a text, a list of two flags, and the end
    const bytes = Uint8Array.from([0x15, 0x02, 0x18, 1, 0x61, 0x19, 0x21, 1, 2, 0, 0xff])
    expect(assertThriftCounts(bytes, 0)).toBe(10)
  })

  it.each([
    [
      'a list longer than the file',
      [0x19, 0xf5, 0xff, 0xff, 0xff, 0x0f, 0x02],
      'a list of 33554431, but only 1 bytes are left',
    ],
    ['a text longer than the file', [0x18, 0x05, 0x61], 'a length of 5, but only 1 bytes are left'],
    ['a structure without end', [0x15, 0x02], 'it ends within a structure'],
    ['structures in structures', Array(100).fill(0x1c), 'structures nested more than 64 deep'],
  ])('refuses %s', (_, bytes, problem) => {
    expect(() => assertThriftCounts(Uint8Array.from(bytes), 0)).toThrow(`corrupt: ${problem}`)
  })
})

describe('unzstd', () => {
  const read = (frame: Buffer) => collect(unzstd(inPieces(frame, 7), 'x.jsonl.zst'))

  it('unpacks a stream whose window is of a usual size', async () => {
    expect(Buffer.concat(await read(zstdFrame(3, 0x88))).length).toBe(3 << 17)
  })

  it.each([
    ['1 GiB', 0xa0, 2 ** 30],
    ['2 GiB', 0xa8, 2 ** 31],
  ])('refuses a window of %s before it is reserved', async (_, window, bytes) => {
    await expect(read(zstdFrame(3, window))).rejects.toMatchObject({
      message: `x.jsonl.zst: the zstd data needs a window of ${bytes} bytes, expected at most 134217728`,
      hint: 'compress the file again without --ultra and --long',
    })
  })

  it('refuses a frame of one segment that is as large', async () => {
    const frame = Buffer.alloc(18)
    frame.set([0x28, 0xb5, 0x2f, 0xfd, 0xa0])
    frame.writeUInt32LE(2 ** 31, 5)
    await expect(read(frame)).rejects.toThrow('a window of 2147483648 bytes')
  })

  it('refuses it in a later frame too', async () => {
    await expect(read(Buffer.concat([zstdFrame(1), zstdFrame(3, 0xa8)]))).rejects.toThrow(
      'x.jsonl.zst: the zstd data needs a larger window than is supported',
    )
  })
})
