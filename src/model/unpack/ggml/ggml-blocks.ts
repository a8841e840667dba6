import type { GgmlBlockType } from '../../../files/checkpoint/ggml-types.js'
import type { GgmlBlocksExpression } from '../../../files/checkpoint/weight-expression.js'
import type { ExpressionWriter } from '../expression-writer.js'
import { Blocks } from './blocks.js'
import { writeQ2_K, writeQ3_K, writeQ4_K, writeQ5_K, writeQ6_K } from './k-blocks.js'
import { writeQ4_0, writeQ4_1, writeQ5_0, writeQ5_1, writeQ8_0 } from './plain-blocks.js'
import { writeIQ4_NL, writeIQ4_XS, writeMXFP4 } from './table-blocks.js'

const WRITERS: Record<GgmlBlockType, (blocks: Blocks) => string> = {
  Q8_0: writeQ8_0,
  Q4_0: writeQ4_0,
  Q4_1: writeQ4_1,
  Q5_0: writeQ5_0,
  Q5_1: writeQ5_1,
  Q2_K: writeQ2_K,
  Q3_K: writeQ3_K,
  Q4_K: writeQ4_K,
  Q5_K: writeQ5_K,
  Q6_K: writeQ6_K,
  IQ4_NL: writeIQ4_NL,
  IQ4_XS: writeIQ4_XS,
  MXFP4: writeMXFP4,
}

/** Decodes llama.cpp's block types, each as its reference does. */
export function writeGgmlBlocks(
  writer: ExpressionWriter,
  expression: GgmlBlocksExpression,
  ids: string | undefined,
): string {
  const blocks = new Blocks(writer, expression, ids)
  return blocks.joined(WRITERS[expression.type](blocks))
}
