import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import type { ContinuedTexts } from './caches.js'
import { type AttentionForm, splitHeads, writeShare } from './causal-attention.js'
import { writeCap } from './linear.js'
import type { QueryKeyValue } from './projections.js'
import { type SpanForm, writeBatchBias, writeFirstSeen } from './span-bias.js'

/**
 * Adds new keys and values [batch, tokens, heads * size] to those of earlier runs, as [batch, heads, all, size]; they stay
 * as they are if texts are not continued.
 */
export function extendKeysAndValues(
  writer: GraphWriter,
  continued: ContinuedTexts | null,
  { kvHeads, headDim, valueDim = headDim }: Pick<AttentionForm, 'kvHeads' | 'headDim' | 'valueDim'>,
  { key, value }: Pick<QueryKeyValue, 'key' | 'value'>,
): Pick<QueryKeyValue, 'key' | 'value'> {
  if (continued === null) return { key, value }
  const { caches } = continued
  return {
    key: caches.extend('key', splitHeads(writer, key, kvHeads, headDim), [kvHeads, headDim]),
    value: caches.extend('value', splitHeads(writer, value, kvHeads, valueDim), [kvHeads, valueDim]),
  }
}

/**
 * What is added to the scores of new queries and all keys: minus infinity for keys that a query does not see. Padding
 * sees itself, because a softmax over nothing would be NaN, which later tokens would read.
 * @returns float32 [batch, 1 or key heads, stacked queries, keys]
 */
export function writeContinuedBias(writer: GraphWriter, continued: ContinuedTexts, form: SpanForm): string {
  const { past, total, allPositions, positions, arePadding } = continued
  const range = (start: string) => writer.op('Range', [start, total, writer.integers([1], [])])
  const column = (tensor: string) => writer.op('Unsqueeze', [tensor, writer.integers([-1])])
  const row = (tensor: string) => writer.op('Unsqueeze', [tensor, writer.integers([1])])
  const [queries, keys] = [range(past), range(writer.integers([0], []))]
  const isOther = writer.op('Not', [writer.op('Equal', [keys, column(queries)])])
  let masked = writer.op('Or', [
    writer.op('Greater', [keys, column(queries)]),
    writer.op('And', [row(arePadding), isOther]),
  ])
  const firstSeen = writeFirstSeen(writer, column(positions), form)
  if (firstSeen !== null) {
    masked = writer.op('Or', [masked, writer.op('Less', [row(allPositions), firstSeen])])
  }
  return writeBatchBias(writer, masked, { queries, keys, keyPositions: row(allPositions) }, form)
}

/**
 * Attention of new tokens over all: queries [batch, tokens, heads * head size], keys and values [batch, heads, all,
 * size], to [batch, tokens, heads * value size]. Query heads that share a key head are stacked.
 * @param bias  of `writeContinuedBias`
 * @param sinks as for `writeCausalAttention`
 */
export function writeCachedAttention(
  writer: GraphWriter,
  { heads, kvHeads, headDim, scale, softcap, valueDim = headDim }: AttentionForm,
  { query, key, value, sinks = null }: QueryKeyValue & { sinks?: string | null },
  bias: string,
): string {
  const byHead = splitHeads(writer, query, heads, headDim)
  const queries =
    heads === kvHeads ? byHead : writer.op('Reshape', [byHead, writer.integers([0, kvHeads, -1, headDim])])
  const scaled = scale === 1 ? queries : writer.op('Mul', [queries, writer.float(scale)])
  const products = writer.op('MatMul', [scaled, writer.op('Transpose', [key], { perm: [0, 1, 3, 2] })])
  const scores = writer.op('Add', [softcap === null ? products : writeCap(writer, products, softcap), bias])
  const context = writer.op('MatMul', [writer.op('Softmax', [scores], { axis: -1 }), value])
  const unstacked =
    heads === kvHeads ? context : writer.op('Reshape', [context, writer.integers([0, heads, -1, valueDim])])
  const shared = sinks === null ? unstacked : writer.op('Mul', [unstacked, writeShare(writer, scores, sinks, heads)])
  return writer.op('Reshape', [
    writer.op('Transpose', [shared], { perm: [0, 2, 1, 3] }),
    writer.integers([0, 0, heads * valueDim]),
  ])
}
