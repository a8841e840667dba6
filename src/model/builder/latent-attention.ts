import type { LatentAttention, Linear } from '../families/describe/description.js'
import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import { attend } from './attend.js'
import { extendKeysAndValues } from './cached-attention.js'
import type { DecoderWriter } from './decoder-writer.js'
import { writeLinear } from './linear.js'
import { writeNorm } from './norm.js'
import type { QueryKeyValue } from './projections.js'
import { writeRotation } from './rope.js'
import type { SharedInputs } from './shared-inputs.js'

/** Writes multi-head latent attention: [batch, tokens, hidden] to the same shape. */
export function writeLatentAttention(
  writer: DecoderWriter,
  attention: LatentAttention,
  input: string,
  shared: SharedInputs,
): string {
  const { heads, ownDim, sharedDim, valueDim, scale, gate } = attention
  const form = { heads, kvHeads: heads, headDim: ownDim + sharedDim, valueDim, scale, softcap: null }
  const seen = { heads, kvHeads: heads, window: null, chunk: null, alibi: null }
  const query = writeQuery(writer, attention, input, shared)
  const added = writeKeysAndValues(writer, attention, input, shared)
  const all = extendKeysAndValues(writer, shared.shape.continued, form, added)
  const mixed = attend(writer, form, seen, { query, ...all }, shared)
  const gated = gate === null ? mixed : writeHeadGate(writer, gate, input, mixed, [heads, valueDim])
  return writeLinear(writer, attention.output, gated)
}

/** Multiplies each head of [batch, tokens, heads * value size] by the sigmoid of its gate. */
function writeHeadGate(
  writer: DecoderWriter,
  gate: Linear,
  input: string,
  mixed: string,
  [heads, valueDim]: [heads: number, valueDim: number],
): string {
  const factors = writer.op('Unsqueeze', [
    writer.op('Sigmoid', [writeLinear(writer, gate, input)]),
    writer.integers([3]),
  ])
  const perHead = writer.op('Reshape', [mixed, writer.integers([0, 0, heads, valueDim])])
  return joinHeads(writer, [writer.op('Mul', [perHead, factors])], heads * valueDim)
}

function writeQuery(writer: DecoderWriter, attention: LatentAttention, input: string, shared: SharedInputs): string {
  const { query, rope, heads, ownDim, sharedDim } = attention
  const product =
    'norm' in query
      ? writeLinear(writer, query.up, writeNorm(writer, query.norm, writeLinear(writer, query.down, input)))
      : writeLinear(writer, query, input)
  if (rope === null) return product
  const perHead = writer.op('Reshape', [product, writer.integers([0, 0, heads, ownDim + sharedDim])])
  const [own, common] = split(writer, perHead, [ownDim, sharedDim])
  const flat = writer.op('Reshape', [common, writer.integers([0, 0, heads * sharedDim])])
  const rotated = writeRotation(writer, rope, shared.tables(rope), flat, { heads, headDim: sharedDim })
  const restored = writer.op('Reshape', [rotated, writer.integers([0, 0, heads, sharedDim])])
  return joinHeads(writer, [own, restored], heads * (ownDim + sharedDim))
}

function writeKeysAndValues(
  writer: DecoderWriter,
  { heads, ownDim, sharedDim, valueDim, compressed, latentNorm, expanded, rope }: LatentAttention,
  input: string,
  shared: SharedInputs,
): Omit<QueryKeyValue, 'query'> {
  const product = writeLinear(writer, compressed, input)
  const [latent, common] = split(writer, product, [latentNorm.size, sharedDim])
  const outputs = writeLinear(writer, expanded, writeNorm(writer, latentNorm, latent))
  const perHead = writer.op('Reshape', [outputs, writer.integers([0, 0, heads, ownDim + valueDim])])
  const [own, value] = split(writer, perHead, [ownDim, valueDim])
  const rotated =
    rope === null ? common : writeRotation(writer, rope, shared.tables(rope), common, { heads: 1, headDim: sharedDim })
  const repeated = writer.op('Expand', [
    writer.op('Unsqueeze', [rotated, writer.integers([2])]),
    writer.integers([1, 1, heads, sharedDim]),
  ])
  return {
    key: joinHeads(writer, [own, repeated], heads * (ownDim + sharedDim)),
    value: writer.op('Reshape', [value, writer.integers([0, 0, heads * valueDim])]),
  }
}

function split(writer: GraphWriter, tensor: string, sizes: [number, number]): [string, string] {
  const [first, second] = writer.ops('Split', [tensor, writer.integers(sizes)], 2, { axis: -1 })
  return [first!, second!]
}

/** Flattens [batch, tokens, heads, size] to [batch, tokens, heads * size]. */
function joinHeads(writer: GraphWriter, parts: string[], width: number): string {
  const whole = parts.length === 1 ? parts[0]! : writer.op('Concat', parts, { axis: -1 })
  return writer.op('Reshape', [whole, writer.integers([0, 0, width])])
}
