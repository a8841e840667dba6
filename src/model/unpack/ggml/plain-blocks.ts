/** Types of 32 numbers with one scale: integer * scale, in some types plus a minimum. */
import { DataType } from '../../graph/onnx/onnx.js'
import type { Blocks } from './blocks.js'

/** The low halves of 16 bytes, then the high ones. */
export function readNibbles(blocks: Blocks, start: number): string {
  return blocks.bits(blocks.bytes(start, start + 16, [1, 1, 16]), [0, 4], 4, [32])
}

/** 5-bit integers: low four bits as in `readNibbles`, high bits in four further bytes. */
function readFives(blocks: Blocks, highStart: number): string {
  const fifth = blocks.bits(blocks.bytes(highStart, highStart + 4, [4, 1, 1]), [0, 1, 2, 3, 4, 5, 6, 7], 1, [32])
  return blocks.above(readNibbles(blocks, highStart + 4), fifth, 4)
}

function writeScaled({ writer }: Blocks, scale: string, numbers: string): string {
  return writer.op('Mul', [scale, numbers])
}

function writeShifted(blocks: Blocks, integers: string): string {
  const { writer } = blocks
  const scaled = writer.op('Mul', [blocks.half(0), writer.cast(integers, DataType.FLOAT)])
  return writer.op('Add', [scaled, blocks.half(2)])
}

export function writeQ8_0(blocks: Blocks): string {
  return writeScaled(blocks, blocks.half(0), blocks.signedBytes(2, 34))
}

export function writeQ4_0(blocks: Blocks): string {
  return writeScaled(blocks, blocks.half(0), blocks.centred(readNibbles(blocks, 2), 8))
}

export function writeQ4_1(blocks: Blocks): string {
  return writeShifted(blocks, readNibbles(blocks, 4))
}

export function writeQ5_0(blocks: Blocks): string {
  return writeScaled(blocks, blocks.half(0), blocks.centred(readFives(blocks, 2), 16))
}

export function writeQ5_1(blocks: Blocks): string {
  return writeShifted(blocks, readFives(blocks, 4))
}
