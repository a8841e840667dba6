import { DataType } from '../onnx.js'
import type { Attention, HeadNorm } from './description.js'
import type { GraphWriter } from './graph-writer.js'
import { writeLinear } from './linear.js'
import { writeNorm } from './norm.js'
import { type QueryKeyValue, writeProjections } from './projections.js'
import { type RopeTables, writeRotation } from './rope.js'
import type { Weights } from './weights.js'

/** ONNX Runtime's attention takes heads of a multiple of this. */
const HEAD_MULTIPLE = 8

/** What attention needs beside its layer's own tensors. */
export interface AttentionInputs {
  /** Tables of the layer's rope, where it has one. */
  rope: RopeTables | null
  /** int32 [batch]: the number of tokens of the batch less one, for each text. */
  lastToken: string
  /** int32 scalar: the number of tokens of the batch. */
  tokenCount: string
  /** int64 scalar, the same number. */
  tokens: string
}

/**
 * Writes a layer's attention: [batch, tokens, hidden] to the same shape.
 *
 * Texts are padded on the right, so the causal mask alone keeps padding out of what a real token sees.
 */
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
  return writeLinear(
    writer,
    weights,
    attention.output,
    mixTokens(writer, attention, { query, key, value }, shared),
  )
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
    normed = writer.op('Mul', [
      normed,
      readHeadWeights(writer, weights, headNorm.headWeights, heads, headDim),
    ])
  }
  return writer.op('Reshape', [normed, writer.integers([0, 0, heads * headDim])])
}

/** float32 [heads, head size] */
function readHeadWeights(
  writer: GraphWriter,
  weights: Weights,
  names: string[],
  heads: number,
  headDim: number,
): string {
  if (names.length === 1) return weights.float(names[0]!, [heads, headDim])
  const rows = names.map((name) =>
    writer.op('Unsqueeze', [weights.float(name, [headDim]), writer.integers([0])]),
  )
  return writer.op('Concat', rows, { axis: 0 })
}

/** Causal attention over heads [batch, tokens, heads * head size]. */
function mixTokens(
  writer: GraphWriter,
  attention: Attention,
  { query, key, value }: QueryKeyValue,
  shared: AttentionInputs,
): string {
  const { heads, kvHeads, headDim, window, softcap, scale, alibiSlopes } = attention
  const missing = (HEAD_MULTIPLE - (headDim % HEAD_MULTIPLE)) % HEAD_MULTIPLE
  const pad = (tensor: string, count: number) => padHeads(writer, tensor, count, headDim, missing)
  const bias = alibiSlopes === null ? [] : ['', '', '', writeAlibi(writer, alibiSlopes, shared)]
  const [mixed] = writer.ops(
    'GroupQueryAttention',
    [
      pad(query, heads),
      pad(key, kvHeads),
      pad(value, kvHeads),
      '',
      '',
      shared.lastToken,
      shared.tokenCount,
      ...bias,
    ],
    3,
    {
      num_heads: heads,
      kv_num_heads: kvHeads,
      scale: { float: scale },
      local_window_size: window ?? -1,
      softcap: { float: softcap ?? 0 },
    },
  )
  if (missing === 0) return mixed!
  const padded = writer.op('Reshape', [mixed!, writer.integers([0, 0, heads, headDim + missing])])
  const cut = writer.op('Slice', [
    padded,
    writer.integers([0]),
    writer.integers([headDim]),
    writer.integers([3]),
  ])
  return writer.op('Reshape', [cut, writer.integers([0, 0, heads * headDim])])
}

/** Fills heads up with zeros, which add nothing to scores and values. */
function padHeads(
  writer: GraphWriter,
  tensor: string,
  heads: number,
  headDim: number,
  missing: number,
): string {
  if (missing === 0) return tensor
  const perHead = writer.op('Reshape', [tensor, writer.integers([0, 0, heads, headDim])])
  const padded = writer.op('Pad', [perHead, writer.integers([0, missing]), '', writer.integers([3])])
  return writer.op('Reshape', [padded, writer.integers([0, 0, heads * (headDim + missing)])])
}

/** What linear biases add to the scores: [1, heads, tokens, tokens], slope times position of the key. */
function writeAlibi(writer: GraphWriter, slopes: number[], { tokens }: AttentionInputs): string {
  const positions = writer.op('Range', [writer.integers([0], []), tokens, writer.integers([1], [])])
  const row = writer.op('Mul', [
    writer.op('Cast', [positions], { to: DataType.FLOAT }),
    writer.floats(slopes, [1, slopes.length, 1, 1]),
  ])
  const square = writer.op(
    'Concat',
    [
      writer.integers([1, slopes.length]),
      writer.op('Unsqueeze', [tokens, writer.integers([0])]),
      writer.integers([1]),
    ],
    { axis: 0 },
  )
  return writer.op('Expand', [row, square])
}
