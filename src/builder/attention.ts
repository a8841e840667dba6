import type { Attention, HeadNorm } from '../families/description.js'
import { type Spans, writeCausalAttention } from './causal-attention.js'
import type { GraphWriter } from './graph-writer.js'
import { writeLinear } from './linear.js'
import { writeNorm } from './norm.js'
import { writeProjections } from './projections.js'
import { type RopeTables, writeRotation } from './rope.js'
import type { Weights } from './weights.js'

/** What attention needs besides its layer's own tensors. */
export interface AttentionInputs {
  /** Tables of the layer's rope, if it has one. */
  rope: RopeTables | null
  /** Runs of queries for the layer's window. */
  spans: Spans
}

/** Writes a layer's attention: [batch, tokens, hidden] to the same shape. */
export function writeAttention(
  writer: GraphWriter,
  weights: Weights,
  attention: Attention,
  input: string,
  shared: AttentionInputs,
): string {
  const { heads, kvHeads, clip, queryNorm, keyNorm, normAfterRope } = attention
  let { query, key, value } = writeProjections(writer, weights, attention, input)
  const bound = (tensor: string) => {
    if (clip === null) return tensor
    return writer.op('Clip', [tensor, writer.float(-clip), writer.float(clip)])
  }
  const norm = () => {
    query = writeHeadNorm(writer, weights, attention, queryNorm, query, heads)
    key = writeHeadNorm(writer, weights, attention, keyNorm, key, kvHeads)
  }
  if (!normAfterRope) norm()
  query = bound(query)
  key = bound(key)
  value = bound(value)
  query = rotate(writer, attention, shared, query, heads)
  key = rotate(writer, attention, shared, key, kvHeads)
  if (normAfterRope) norm()
  const mixed = writeCausalAttention(writer, attention, { query, key, value }, shared.spans)
  return writeLinear(writer, weights, attention.output, mixed)
}

function rotate(
  writer: GraphWriter,
  { rope, headDim }: Attention,
  shared: AttentionInputs,
  input: string,
  heads: number,
): string {
  if (rope === null || shared.rope === null) return input
  return writeRotation(writer, rope, shared.rope, input, { heads, headDim })
}

function writeHeadNorm(
  writer: GraphWriter,
  weights: Weights,
  { headDim }: Attention,
  headNorm: HeadNorm | null,
  input: string,
  heads: number,
): string {
  if (headNorm === null) return input
  if (headNorm.span === 'all heads') return writeNorm(writer, weights, headNorm.norm, input)
  const perHead = writer.op('Reshape', [input, writer.integers([0, 0, heads, headDim])])
  let normed = writeNorm(writer, weights, headNorm.norm, perHead)
  if (headNorm.span === 'each head') {
    normed = writer.op('Mul', [normed, readHeadWeights(writer, weights, headNorm.weight, [heads, headDim])])
  }
  return writer.op('Reshape', [normed, writer.integers([0, 0, heads * headDim])])
}

/** float32 [heads, head size] */
function readHeadWeights(
  writer: GraphWriter,
  weights: Weights,
  weight: string | ((head: number) => string),
  [heads, headDim]: [number, number],
): string {
  if (typeof weight === 'string') return weights.float(weight, [heads, headDim])
  const rows = Array.from({ length: heads }, (_, head) =>
    writer.op('Unsqueeze', [weights.float(weight(head), [headDim]), writer.integers([0])]),
  )
  return writer.op('Concat', rows, { axis: 0 })
}
