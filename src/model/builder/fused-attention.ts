import type { Attention } from '../families/describe/description.js'
import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import { BATCH, DataType, TOKENS } from '../graph/onnx/onnx.js'
import type { QueryKeyValue } from './projections.js'
import type { TokenShape } from './rope.js'

/** The fused operator requires head sizes that are multiples of this. */
const HEAD_UNIT = 8

/** The fused operator's inputs about the lengths of texts. */
export interface TextLengths {
  /** int32 [batch]: tokens of each text minus one, padding included, because the causal mask hides padding. */
  lastTokens: string
  /** int32 scalar */
  tokens: string
}

/**
 * Whether a layer's attention is computed by one node that streams over the keys instead of holding all scores. It
 * computes whole blocks of pairs, so spans are faster on short texts. Spans are also faster with windows, because it
 * visits the keys before a window, and with sinks or a soft cap, for which it falls back to holding all scores.
 */
export function isFused(attention: Attention, { areLong, tree, continued }: TokenShape): boolean {
  const { window, chunk, alibi, sinks, softcap, differential, headDim } = attention
  const isPlain = [window, chunk, alibi, sinks, softcap, differential].every((part) => part === null)
  return areLong && tree === null && continued === null && isPlain && headDim % HEAD_UNIT === 0
}

export function writeTextLengths(writer: GraphWriter, { inputIds, tokens }: TokenShape): TextLengths {
  const toInt32 = (tensor: string) => writer.op('Cast', [tensor], { to: DataType.INT32 })
  const lastToken = toInt32(writer.op('Sub', [tokens, writer.integers([1], [])]))
  const batch = writer.op('Shape', [inputIds], { start: 0, end: 1 })
  return { lastTokens: writer.op('Expand', [lastToken, batch]), tokens: toInt32(tokens) }
}

/** Like `writeCausalAttention`, for a form that `isFused` accepts. */
export function writeFusedAttention(
  writer: GraphWriter,
  { heads, kvHeads, headDim, scale }: Pick<Attention, 'heads' | 'kvHeads' | 'headDim' | 'scale'>,
  { query, key, value }: QueryKeyValue,
  { lastTokens, tokens }: TextLengths,
): string {
  const noCache = ['', '']
  // ONNX Runtime uses the fused kernel only if keys and values are outputs too
  const [mixed] = writer.ops('GroupQueryAttention', [query, key, value, ...noCache, lastTokens, tokens], 3, {
    num_heads: heads,
    kv_num_heads: kvHeads,
    scale: { float: scale },
  })
  return writer.dimensions(mixed!, [BATCH, TOKENS, heads * headDim])
}
