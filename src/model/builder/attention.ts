import type { Attention, HeadNorm } from '../families/describe/description.js'
import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import { attend } from './attend.js'
import { extendKeysAndValues } from './cached-attention.js'
import type { DecoderWriter } from './decoder-writer.js'
import { writeDifferentialAttention } from './differential-attention.js'
import { isFused, writeFusedAttention } from './fused-attention.js'
import { writeLinear } from './linear.js'
import { writeNorm } from './norm.js'
import { type QueryKeyValue, writeProjections } from './projections.js'
import { writeRotation } from './rope.js'
import type { SharedInputs } from './shared-inputs.js'

/** Writes a layer's attention: [batch, tokens, hidden] to the same shape. */
export function writeAttention(
  writer: DecoderWriter,
  attention: Attention,
  input: string,
  shared: SharedInputs,
): string {
  const { outputNorm } = attention
  const { gate, ...inputs } = writeQueryKeyValue(writer, attention, input, shared)
  const mixed = writeMixed(writer, attention, inputs, shared)
  const gated =
    gate === null ? writeGate(writer, attention, input, mixed) : writer.op('Mul', [mixed, writer.op('Sigmoid', [gate])])
  return writeLinear(writer, attention.output, outputNorm ? writeNorm(writer, outputNorm, gated) : gated)
}

/** The heads' outputs before gate and output product, [batch, tokens, heads * head size]. */
function writeMixed(writer: DecoderWriter, attention: Attention, inputs: QueryKeyValue, shared: SharedInputs): string {
  const { heads, differential } = attention
  if (isFused(attention, shared.shape)) {
    return writeFusedAttention(writer, attention, inputs, shared.lengths())
  }
  if (differential !== null) {
    const values = { value: inputs.value, axis: shared.shape.continued === null ? 2 : 1 } as const
    return writeDifferentialAttention(writer, { ...attention, differential }, values, (value) =>
      attend(writer, attention, attention, { ...inputs, value }, shared),
    )
  }
  const sinks = attention.sinks === null ? null : writer.weights.float(attention.sinks, [heads])
  return attend(writer, attention, attention, { ...inputs, sinks }, shared)
}

/** Queries, keys and values, normed and rotated; keys and values may come from an earlier layer. */
function writeQueryKeyValue(
  writer: DecoderWriter,
  attention: Attention,
  input: string,
  shared: SharedInputs,
): QueryKeyValue & { gate: string | null } {
  const { projections, sharing, heads, queryNorm } = attention
  if (projections.layout === 'query only') {
    const query = writeLinear(writer, projections.query, input)
    const normed = writeHeadNorm(writer, attention, queryNorm, query, heads)
    const rotated = rotate(writer, attention, shared, normed, heads)
    return { query: rotated, ...shared.keysAndValues(sharing!.kind), gate: null }
  }
  const added = finishProducts(writer, attention, writeProjections(writer, attention, projections, input), shared)
  const own = { ...added, ...extendKeysAndValues(writer, shared.shape.continued, attention, added) }
  if (sharing !== null) shared.keep(sharing.kind, own)
  return own
}

/** Norms, clips and rotates queries, keys and values. */
function finishProducts(
  writer: DecoderWriter,
  attention: Attention,
  products: QueryKeyValue & { gate: string | null },
  shared: SharedInputs,
): QueryKeyValue & { gate: string | null } {
  const { heads, kvHeads, clip, queryNorm, keyNorm, valueNorm, normAfterRope, temperatureScaling } = attention
  const { valueScale = 1 } = attention
  let { query, key, value } = products
  const bound = (tensor: string) => {
    if (clip === null) return tensor
    return writer.op('Clip', [tensor, writer.float(-clip), writer.float(clip)])
  }
  const norm = () => {
    query = writeHeadNorm(writer, attention, queryNorm, query, heads)
    key = writeHeadNorm(writer, attention, keyNorm, key, kvHeads)
  }
  value = writeHeadNorm(writer, attention, valueNorm, value, kvHeads)
  if (!normAfterRope) norm()
  query = bound(query)
  key = bound(key)
  value = bound(value)
  if (valueScale !== 1) value = writer.op('Mul', [value, writer.float(valueScale)])
  query = rotate(writer, attention, shared, query, heads)
  key = rotate(writer, attention, shared, key, kvHeads)
  if (normAfterRope) norm()
  if (temperatureScaling) query = writer.op('Mul', [query, shared.temperature(temperatureScaling)])
  return { query, key, value, gate: products.gate }
}

/** The heads' outputs [batch, tokens, heads * head size], gated if the gate has a product of its own. */
function writeGate(writer: DecoderWriter, { gate, heads, headDim }: Attention, input: string, mixed: string): string {
  if (gate === null || gate === 'fused with q') return mixed
  const { product, activation } = gate
  const factors = writer.op(activation === 'sigmoid' ? 'Sigmoid' : 'Softplus', [writeLinear(writer, product, input)])
  if (product.outputs !== heads) return writer.op('Mul', [mixed, factors])
  const perHead = writer.op('Reshape', [mixed, writer.integers([0, 0, heads, headDim])])
  const gated = writer.op('Mul', [perHead, writer.op('Unsqueeze', [factors, writer.integers([3])])])
  return writer.op('Reshape', [gated, writer.integers([0, 0, heads * headDim])])
}

function rotate(
  writer: GraphWriter,
  { rope, headDim }: Attention,
  shared: SharedInputs,
  input: string,
  heads: number,
): string {
  if (rope === null) return input
  return writeRotation(writer, rope, shared.tables(rope), input, { heads, headDim })
}

function writeHeadNorm(
  writer: DecoderWriter,
  { headDim }: Attention,
  headNorm: HeadNorm | null,
  input: string,
  heads: number,
): string {
  if (headNorm === null) return input
  if (headNorm.span === 'all heads') return writeNorm(writer, headNorm.norm, input)
  const perHead = writer.op('Reshape', [input, writer.integers([0, 0, heads, headDim])])
  let normed = writeNorm(writer, headNorm.norm, perHead)
  if (headNorm.span === 'each head') {
    normed = writer.op('Mul', [normed, readHeadWeights(writer, headNorm.weight, [heads, headDim])])
  }
  return writer.op('Reshape', [normed, writer.integers([0, 0, heads * headDim])])
}

/** float32 [heads, head size] */
function readHeadWeights(
  writer: DecoderWriter,
  weight: string | ((head: number) => string),
  [heads, headDim]: [number, number],
): string {
  if (typeof weight === 'string') return writer.weights.float(weight, [heads, headDim])
  const rows = Array.from({ length: heads }, (_, head) =>
    writer.op('Unsqueeze', [writer.weights.float(weight(head), [headDim]), writer.integers([0])]),
  )
  return writer.op('Concat', rows, { axis: 0 })
}
