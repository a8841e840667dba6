/** Types whose 4-bit codes index a table of values. */
import type { Blocks } from './blocks.js'
import { readNibbles } from './plain-blocks.js'

const IQ4_VALUES = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]
/** Twice the values of e2m1. */
const E2M1_VALUES = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12]
/** Half the values of e8m0: an exponent without a sign. */
const E8M0_VALUES = Array.from({ length: 256 }, (_, code) => 2 ** (code - 128))

export function writeIQ4_NL(blocks: Blocks): string {
  return blocks.writer.op('Mul', [blocks.half(0), blocks.lookUp(readNibbles(blocks, 2), IQ4_VALUES)])
}

/** Eight groups of 32 with 6-bit scales, whose high bits are in bytes 2 and 3. */
export function writeIQ4_XS(blocks: Blocks): string {
  const high = blocks.bits(blocks.bytes(2, 4, [2, 1, 1]), [0, 2, 4, 6], 2, [8])
  const low = blocks.bits(blocks.bytes(4, 8, [4, 1, 1]), [0, 4], 4, [8])
  const { writer } = blocks
  const scales = writer.op('Mul', [blocks.half(0), blocks.centred(blocks.above(low, high, 4), 32)])
  const codes = blocks.bits(blocks.bytes(8, 136, [8, 1, 16]), [0, 4], 4, [8, 32])
  return writer.op('Mul', [blocks.reshape(scales, [8, 1]), blocks.lookUp(codes, IQ4_VALUES)])
}

export function writeMXFP4(blocks: Blocks): string {
  const scales = blocks.lookUp(blocks.bytes(0, 1), E8M0_VALUES)
  return blocks.writer.op('Mul', [scales, blocks.lookUp(readNibbles(blocks, 1), E2M1_VALUES)])
}
