import { describe, expect, it } from 'vitest'
import { BLOCK_SIZE, encodeBlocks } from '../../../src/model/export/blocks.js'

/** As MatMulNBits reads them. */
function decode({ numbers, factors }: ReturnType<typeof encodeBlocks>, bits: 4 | 8): number[] {
  const middle = 2 ** (bits - 1)
  const all = bits === 8 ? [...numbers] : [...numbers].flatMap((byte) => [byte & 15, byte >> 4])
  return all.map((number, index) => (number - middle) * factors[Math.floor(index / BLOCK_SIZE)]!)
}

const VALUES = Float32Array.from({ length: 4 * BLOCK_SIZE }, (_, index) => Math.sin(index * index) * (1 + (index % 7)))

describe('blocks of small numbers', () => {
  it('of 8 bits are off by half a step at most', () => {
    const blocks = encodeBlocks(VALUES, 8)
    const decoded = decode(blocks, 8)
    for (const [index, value] of VALUES.entries()) {
      const step = blocks.factors[Math.floor(index / BLOCK_SIZE)]!
      expect(Math.abs(decoded[index]! - value)).toBeLessThanOrEqual(step / 2 + 1e-6)
    }
  })

  it('of 4 bits have a smaller error than with the step that makes the largest value a number', () => {
    const error = (decoded: number[]) => VALUES.reduce((sum, value, index) => sum + (value - decoded[index]!) ** 2, 0)
    const plain = Array.from({ length: VALUES.length / BLOCK_SIZE }, (_, block) => {
      const part = VALUES.subarray(block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE)
      const extreme = part.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0)
      const factor = extreme / -8
      return [...part].map((value) => (Math.min(Math.max(Math.round(value / factor) + 8, 0), 15) - 8) * factor)
    }).flat()
    expect(error(decode(encodeBlocks(VALUES, 4), 4))).toBeLessThan(0.9 * error(plain))
  })

  it('keep zeros', () => {
    expect(decode(encodeBlocks(new Float32Array(BLOCK_SIZE), 4), 4).every((value) => value === 0)).toBe(true)
    expect(decode(encodeBlocks(new Float32Array(BLOCK_SIZE), 8), 8).every((value) => value === 0)).toBe(true)
  })
})
