/** Types of 256 numbers in 8 or 16 groups, whose scales are integers times the scale of the block. */
import { DataType } from '../../graph/onnx/onnx.js'
import type { Blocks } from './blocks.js'

const TWO_BITS = [0, 2, 4, 6]
const EACH_BIT = [0, 1, 2, 3, 4, 5, 6, 7]

/** The block's scale times the integer scales of its groups: [B, groups, 1]. */
function scaleGroups(blocks: Blocks, scale: string, groups: string, count: number): string {
  return blocks.reshape(blocks.writer.op('Mul', [scale, groups]), [count, 1])
}

function toFloat({ writer }: Blocks, integers: string): string {
  return writer.cast(integers, DataType.FLOAT)
}

/** Scale times number minus the minimum, per group. */
function writeAboveLeast({ writer }: Blocks, scales: string, numbers: string, least: string): string {
  return writer.op('Sub', [writer.op('Mul', [scales, numbers]), least])
}

export function writeQ2_K(blocks: Blocks): string {
  const groups = blocks.bytes(0, 16, [16, 1, 1])
  const scales = toFloat(blocks, blocks.bits(groups, [0], 4, [16]))
  const least = toFloat(blocks, blocks.bits(groups, [4], 4, [16]))
  const integers = blocks.bits(blocks.bytes(16, 80, [2, 1, 32]), TWO_BITS, 2, [16, 16])
  return writeAboveLeast(
    blocks,
    scaleGroups(blocks, blocks.half(80), scales, 16),
    toFloat(blocks, integers),
    scaleGroups(blocks, blocks.half(82), least, 16),
  )
}

/** Scales of 6 bits: the low four of 16 of them in 8 bytes, the high two in 4. */
export function writeQ3_K(blocks: Blocks): string {
  const { writer } = blocks
  const lowScales = blocks.bits(blocks.bytes(96, 104, [1, 1, 8]), [0, 4], 4, [16])
  const highScales = blocks.bits(blocks.bytes(104, 108, [1, 1, 4]), TWO_BITS, 2, [16])
  const scales = blocks.centred(blocks.above(lowScales, highScales, 4), 32)
  const low = blocks.bits(blocks.bytes(32, 96, [2, 1, 32]), TWO_BITS, 2, [16, 16])
  const high = blocks.bits(blocks.bytes(0, 32, [1, 1, 32]), EACH_BIT, 1, [16, 16])
  return writer.op('Mul', [
    scaleGroups(blocks, blocks.half(108), scales, 16),
    blocks.centred(blocks.above(low, high, 2), 4),
  ])
}

/**
 * 6-bit scales and minimums of 8 groups in 12 bytes: four scales, four minimums, then four bytes with the low bits of
 * the other eight, whose high bits are in the top bits of the first eight bytes.
 */
function readGroups(blocks: Blocks): { scales: string; least: string } {
  const { writer } = blocks
  const [first, second] = [blocks.bytes(4, 8, [1, 1, 4]), blocks.bytes(8, 12, [1, 1, 4])]
  const rest = blocks.bytes(12, 16, [1, 1, 4])
  const join = (four: string, restShift: number) => {
    const others = blocks.above(blocks.bits(rest, [restShift], 4, [4]), blocks.bits(four, [6], 2, [4]), 4)
    return toFloat(blocks, writer.op('Concat', [blocks.bits(four, [0], 6, [4]), others], { axis: 1 }))
  }
  return {
    scales: scaleGroups(blocks, blocks.half(0), join(first, 0), 8),
    least: scaleGroups(blocks, blocks.half(2), join(second, 4), 8),
  }
}

export function writeQ4_K(blocks: Blocks): string {
  const { scales, least } = readGroups(blocks)
  const integers = blocks.bits(blocks.bytes(16, 144, [4, 1, 32]), [0, 4], 4, [8, 32])
  return writeAboveLeast(blocks, scales, toFloat(blocks, integers), least)
}

export function writeQ5_K(blocks: Blocks): string {
  const { scales, least } = readGroups(blocks)
  const low = blocks.bits(blocks.bytes(48, 176, [4, 1, 32]), [0, 4], 4, [8, 32])
  const high = blocks.bits(blocks.bytes(16, 48, [1, 1, 32]), EACH_BIT, 1, [8, 32])
  return writeAboveLeast(blocks, scales, toFloat(blocks, blocks.above(low, high, 4)), least)
}

export function writeQ6_K(blocks: Blocks): string {
  const low = blocks.bits(blocks.bytes(0, 128, [2, 1, 64]), [0, 4], 4, [16, 16])
  const high = blocks.bits(blocks.bytes(128, 192, [2, 1, 32]), TWO_BITS, 2, [16, 16])
  return blocks.writer.op('Mul', [
    scaleGroups(blocks, blocks.half(208), blocks.signedBytes(192, 208), 16),
    blocks.centred(blocks.above(low, high, 4), 32),
  ])
}
