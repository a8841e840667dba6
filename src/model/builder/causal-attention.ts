import type { Attention } from '../families/describe/description.js'
import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import { BATCH, TOKENS } from '../graph/onnx/onnx.js'
import { writeCap } from './linear.js'
import type { QueryKeyValue } from './projections.js'
import type { TokenShape } from './rope.js'
import { type SpanForm, writeFirstSeen, writeSpanBias } from './span-bias.js'
import { writeTreeBias } from './tree-bias.js'

/** Number of query spans that attention is computed in; each omits keys that none of its queries sees. */
const SPAN_COUNT = 4

/** The same for long texts; with fewer spans, more masked keys are computed and more scores are held. */
const SPAN_COUNT_OF_LONG = 8

/** Consecutive queries with the keys that any of them sees. */
interface Span {
  /** int64 [1]: first key, and the end (exclusive) of both queries and keys. */
  firstKey: string
  end: string
  /** float32, added to scores [batch, key heads, stacked queries, keys]; minus infinity for masked keys. */
  bias: string
  /** Names of the dimensions of queries and keys. */
  queries: string
  keys: string
}

export interface Spans {
  /** int64: number of queries in each span. */
  sizes: string
  list: Span[]
}

/**
 * Divides the tokens of a batch into spans of nearly equal size, for all layers of one form.
 *
 * Texts are padded on the right, so the causal mask alone hides padding from real tokens. A token of a prefix tree can
 * see keys anywhere before it, so the keys of such spans start at the first.
 */
export function writeSpans(writer: GraphWriter, { tokens, tree, areLong }: TokenShape, form: SpanForm): Spans {
  const count = areLong ? SPAN_COUNT_OF_LONG : SPAN_COUNT
  const scalar = (value: number) => writer.integers([value], [])
  const list = (value: string) => writer.op('Unsqueeze', [value, writer.integers([0])])
  const bounds = Array.from({ length: count + 1 }, (_, index) =>
    writer.op('Div', [writer.op('Mul', [tokens, scalar(index)]), scalar(count)]),
  )
  const sizes: string[] = []
  const spans = bounds.slice(1).map((end, index): Span => {
    const start = bounds[index]!
    const size = list(writer.op('Sub', [end, start]))
    sizes.push(size)
    const firstSeen = tree === null ? writeFirstSeen(writer, start, form) : null
    const firstKey = firstSeen === null ? scalar(0) : writer.op('Max', [firstSeen, scalar(0)])
    const queries = writer.op('Range', [start, end, scalar(1)])
    const keys = writer.op('Range', [firstKey, end, scalar(1)])
    const places = { queries, keys, start: list(start), end: list(end) }
    return {
      firstKey: list(firstKey),
      end: places.end,
      bias: tree === null ? writeSpanBias(writer, queries, keys, form) : writeTreeBias(writer, tree, places, form),
      queries: size,
      keys: (tree !== null || seesAll(form)) && index === count - 1 ? TOKENS : keys,
    }
  })
  return { sizes: writer.op('Concat', sizes, { axis: 0 }), list: spans }
}

function seesAll({ window, chunk }: SpanForm): boolean {
  return window === null && chunk === null
}

/** Form of an attention; `valueDim` is `headDim` if omitted. */
export type AttentionForm = Pick<Attention, 'heads' | 'kvHeads' | 'headDim' | 'scale' | 'softcap'> & {
  valueDim?: number
}

/**
 * Causal attention over heads [batch, tokens, heads * head size], to [batch, tokens, heads * value size].
 *
 * Query heads that share a key head are stacked, so that keys and values are never repeated.
 * @param sinks float32 [heads]: an extra logit per head in the softmax; null if there are none
 */
export function writeCausalAttention(
  writer: GraphWriter,
  { heads, kvHeads, headDim, scale, softcap, valueDim = headDim }: AttentionForm,
  { query, key, value, sinks = null }: QueryKeyValue & { sinks?: string | null },
  spans: Spans,
): string {
  const queries = writer.ops('Split', [splitHeads(writer, query, heads, headDim), spans.sizes], spans.list.length, {
    axis: 2,
  })
  const keys = splitHeads(writer, key, kvHeads, headDim)
  const values = splitHeads(writer, value, kvHeads, valueDim)
  const contexts = spans.list.map((span, index) => {
    const ofQueries = (tensor: string, size: number) => writer.dimensions(tensor, [BATCH, heads, span.queries, size])
    const stack = heads === kvHeads ? span.queries : `${span.queries} * ${heads / kvHeads}`
    const seen = (tensor: string, size: number) => {
      if (span.keys === TOKENS) return tensor
      const part = writer.op('Slice', [tensor, span.firstKey, span.end, writer.integers([2])])
      return writer.dimensions(part, [BATCH, kvHeads, span.keys, size])
    }
    const stacked = writer.op('Reshape', [
      ofQueries(queries[index]!, headDim),
      writer.integers([0, kvHeads, -1, headDim]),
    ])
    writer.dimensions(stacked, [BATCH, kvHeads, stack, headDim])
    const products = writer.op('FusedMatMul', [stacked, seen(keys, headDim)], {
      transB: 1,
      alpha: { float: scale },
    })
    const scores = writer.op('Add', [softcap === null ? products : writeCap(writer, products, softcap), span.bias])
    writer.dimensions(scores, [BATCH, kvHeads, stack, span.keys])
    const probabilities = writer.op('Softmax', [scores], { axis: -1 })
    const context = writer.op('MatMul', [probabilities, seen(values, valueDim)])
    const shape = writer.integers([0, heads, -1, valueDim])
    const unstacked = ofQueries(writer.op('Reshape', [context, shape]), valueDim)
    if (sinks === null) return unstacked
    return ofQueries(writer.op('Mul', [unstacked, writeShare(writer, scores, sinks, heads)]), valueDim)
  })
  const joined = writer.dimensions(writer.op('Concat', contexts, { axis: 2 }), [BATCH, heads, TOKENS, valueDim])
  const all = writer.op('Transpose', [joined], { perm: [0, 2, 1, 3] })
  return writer.op('Reshape', [all, writer.integers([0, 0, heads * valueDim])])
}

/** [batch, tokens, heads * size] as [batch, heads, tokens, size]. */
export function splitHeads(writer: GraphWriter, tensor: string, heads: number, size: number): string {
  return writer.op('Transpose', [writer.op('Reshape', [tensor, writer.integers([0, 0, heads, size])])], {
    perm: [0, 2, 1, 3],
  })
}

/**
 * The share of the scores in a softmax over scores and a sink, [batch, heads, queries, 1]:
 * sigmoid(logsumexp(scores) - sink).
 */
export function writeShare(writer: GraphWriter, scores: string, sinks: string, heads: number): string {
  const sum = writer.op('ReduceLogSumExp', [scores, writer.integers([-1])], { keepdims: 1 })
  const perHead = writer.op('Reshape', [sum, writer.integers([0, heads, -1, 1])])
  const sink = writer.op('Reshape', [sinks, writer.integers([heads, 1, 1])])
  return writer.op('Sigmoid', [writer.op('Sub', [perHead, sink])])
}
