import type { Attention } from '../families/describe/description.js'
import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import { BATCH, DataType, TOKENS } from '../graph/onnx/onnx.js'
import type { QueryKeyValue } from './projections.js'
import type { TokenShape } from './rope.js'

/** Head sizes that the fused operator takes are multiples of it. */
const HEAD_UNIT = 8

/** The lengths of the texts of a batch, as the fused operator takes them. */
export interface TextLengths {
  /** int32 [batch]: tokens of each text less one, padding included, as the causal mask alone hides it. */
  lastTokens: string
  /** int32 scalar */
  tokens: string
}

/**
 * Whether a layer's attention is computed by one node that passes over the keys once and holds no scores of all pairs.
 * It computes whole blocks of pairs, so that on short texts it is slower than spans. It also visits keys before a
 * window, and falls back to scores of all pairs if there are sinks or a soft cap: spans are faster for these.
 */
export function isFused(attention: Attention, { areLong, tree }: TokenShape): boolean {
  const { window, chunk, alibi, sinks, softcap, differential, headDim } = attention
  const isPlain = [window, chunk, alibi, sinks, softcap, differential].every((part) => part === null)
  return areLong && tree === null && isPlain && headDim % HEAD_UNIT === 0
}

export function writeTextLengths(writer: GraphWriter, { inputIds, tokens }: TokenShape): TextLengths {
  const toInt32 = (tensor: string) => writer.op('Cast', [tensor], { to: DataType.INT32 })
  const lastToken = toInt32(writer.op('Sub', [tokens, writer.integers([1], [])]))
  const batch = writer.op('Shape', [inputIds], { start: 0, end: 1 })
  return { lastTokens: writer.op('Expand', [lastToken, batch]), tokens: toInt32(tokens) }
}

/** The same as `writeCausalAttention` for a form that `isFused` accepts. */
export function writeFusedAttention(
  writer: GraphWriter,
  { heads, kvHeads, headDim, scale }: Pick<Attention, 'heads' | 'kvHeads' | 'headDim' | 'scale'>,
  { query, key, value }: QueryKeyValue,
  { lastTokens, tokens }: TextLengths,
): string {
  const noCache = ['', '']
  // it is fused only if it returns keys and values too
  const [mixed] = writer.ops('GroupQueryAttention', [query, key, value, ...noCache, lastTokens, tokens], 3, {
    num_heads: heads,
    kv_num_heads: kvHeads,
    scale: { float: scale },
  })
  return writer.dimensions(mixed!, [BATCH, TOKENS, heads * headDim])
}
