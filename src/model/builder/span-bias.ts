import type { Alibi, Attention } from '../families/describe/description.js'
import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import { DataType } from '../graph/onnx/onnx.js'

/** The fields of a layer's attention that its spans depend on. */
export type SpanForm = Pick<Attention, 'heads' | 'kvHeads' | 'window' | 'chunk' | 'alibi'>

/**
 * int64: the first key that a query sees, negative if its window reaches before the text; null if it sees all keys.
 * @param queries int64: positions of queries
 */
export function writeFirstSeen(writer: GraphWriter, queries: string, { window, chunk }: SpanForm): string | null {
  if (window !== null) return writer.op('Sub', [queries, writer.integers([window - 1], [])])
  if (chunk === null) return null
  const size = writer.integers([chunk], [])
  return writer.op('Mul', [writer.op('Div', [queries, size]), size])
}

/** The bias on the scores of each stack of query heads, from the positions of queries and keys. */
export function writeSpanBias(writer: GraphWriter, queries: string, keys: string, form: SpanForm): string {
  const { heads, kvHeads, alibi } = form
  const column = writer.op('Unsqueeze', [queries, writer.integers([1])])
  let masked = writer.op('Greater', [keys, column])
  const first = writeFirstSeen(writer, column, form)
  if (first !== null) masked = writer.op('Or', [masked, writer.op('Less', [keys, first])])
  const mask = writer.op('Where', [masked, writer.float(Number.NEGATIVE_INFINITY), writer.float(0)])
  const perGroup = heads / kvHeads
  if (alibi === null) return writer.op('Tile', [mask, writer.integers([perGroup, 1])])
  const slopes = writeSlopes(writer, keys, alibi, [kvHeads, perGroup, 1, 1])
  return writeStacks(writer, writer.op('Add', [slopes, mask]), { queries, keys }, form)
}

/**
 * The bias on the scores of texts whose tokens stand at positions of their own: [batch, 1 or key heads, stacked queries,
 * keys].
 * @param masked bool [batch, queries, keys]: keys that a query does not see
 * @param places int64: indices of queries [queries] and keys [keys], and positions of the keys [batch, 1, keys]
 */
export function writeBatchBias(
  writer: GraphWriter,
  masked: string,
  { queries, keys, keyPositions }: { queries: string; keys: string; keyPositions: string },
  form: SpanForm,
): string {
  const { heads, kvHeads, alibi } = form
  const row = (tensor: string) => writer.op('Unsqueeze', [tensor, writer.integers([1])])
  const mask = row(writer.op('Where', [masked, writer.float(Number.NEGATIVE_INFINITY), writer.float(0)]))
  const perGroup = heads / kvHeads
  if (alibi === null) return writer.op('Tile', [mask, writer.integers([1, 1, perGroup, 1])])
  const byHead = writer.op('Unsqueeze', [keyPositions, writer.integers([1, 2])])
  const slopes = writeSlopes(writer, byHead, alibi, [kvHeads, perGroup, 1, 1])
  const batch = writer.op('Shape', [keyPositions], { start: 0, end: 1 })
  return writeStacks(writer, writer.op('Add', [slopes, row(mask)]), { queries, keys }, form, [batch])
}

/**
 * Biases [..., key heads, heads of a group, queries, keys] as [..., key heads, stacked queries, keys].
 * @param places  int64 [queries] and [keys]
 * @param leading  int64 [1]: sizes of the dimensions before
 */
function writeStacks(
  writer: GraphWriter,
  biases: string,
  { queries, keys }: { queries: string; keys: string },
  { heads, kvHeads }: SpanForm,
  leading: string[] = [],
): string {
  // the shape is explicit, because in texts of fewer tokens than spans some spans have no queries or keys
  const stacked = writer.op('Mul', [writer.op('Shape', [queries]), writer.integers([heads / kvHeads])])
  const shape = [...leading, writer.integers([kvHeads]), stacked, writer.op('Shape', [keys])]
  return writer.op('Reshape', [biases, writer.op('Concat', shape, { axis: 0 })], { allowzero: 1 })
}

/** Positions of keys times the slope of each head. */
function writeSlopes(writer: GraphWriter, keys: string, alibi: Alibi, shape: number[]): string {
  const { slopes, inBfloat16, scale } = alibi
  const round = (tensor: string) =>
    inBfloat16
      ? writer.op('Cast', [writer.op('Cast', [tensor], { to: DataType.BFLOAT16 })], { to: DataType.FLOAT })
      : tensor
  const positions = round(writer.op('Cast', [keys], { to: DataType.FLOAT }))
  const products = round(writer.op('Mul', [positions, round(writer.floats(slopes, shape))]))
  return scale === 1 ? products : writer.op('Mul', [products, writer.float(scale)])
}
