import type { Rope, RopeFrequencies, TemperatureScaling } from '../families/describe/description.js'
import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import { DataType } from '../graph/onnx/onnx.js'
import type { ContinuedTexts } from './caches.js'

/** Tables of a rope's cosines and sines, [rows, dimensions / 2], and each token's row. */
export interface RopeTables {
  cosines: string
  sines: string
  /** int64 [batch, tokens], or [1]: the row of the first token of every text. */
  rows: string
}

/** The graph's inputs and values derived from their shape. */
export interface TokenShape {
  inputIds: string
  attentionMask: string
  /** int64 scalars */
  batch: string
  tokens: string
  /** Null if texts are not prefix trees. */
  tree: TreeInputs | null
  /** Whether attention is written for texts of more than a thousand tokens; shorter ones are then slower. */
  areLong: boolean
  /** Null if each run reads whole texts. */
  continued: ContinuedTexts | null
}

/** The inputs that `tree-attention.ts` describes: int64 [batch, tokens]. */
export interface TreeInputs {
  positions: string
  seenUntil: string
}

/**
 * Positions of the tokens, starting at `offset`: int64 [tokens], or [batch, tokens] if texts are prefix trees or
 * continued.
 */
export function writePositions(writer: GraphWriter, { tokens, tree, continued }: TokenShape, offset: number): string {
  const scalar = (value: number) => writer.integers([value], [])
  const stated = tree ?? continued
  if (stated !== null) return writer.op('Add', [stated.positions, scalar(offset)])
  return writer.op('Range', [scalar(offset), writer.op('Add', [tokens, scalar(offset)]), scalar(1)])
}

/**
 * Writes the tables of a rope; angles are position * frequency in float32, as in transformers.
 *
 * If the frequencies depend on a text's length, each text of a batch has its own section of the tables, so its states do
 * not depend on the other texts; so it has if texts are continued, because padding comes first.
 */
export function writeRopeTables(writer: GraphWriter, rope: Rope, shape: TokenShape): RopeTables {
  const { continued, tree, tokens } = shape
  const positions =
    continued?.positions ?? writer.op('Range', [writer.integers([0], []), tokens, writer.integers([1], [])])
  const column = writer.op('Unsqueeze', [writer.op('Cast', [positions], { to: DataType.FLOAT }), writer.integers([-1])])
  if (continued !== null || rope.frequencies.kind !== 'fixed') return writeTablesOfEachText(writer, rope, shape, column)
  const { perPair } = rope.frequencies
  const angles = writer.op('Mul', [column, writer.floats(perPair, [1, perPair.length])])
  const scale = (table: string) =>
    rope.attentionFactor === 1 ? table : writer.op('Mul', [table, writer.float(rope.attentionFactor)])
  const [cosines, sines] = [scale(writer.op('Cos', [angles])), scale(writer.op('Sin', [angles]))]
  return { cosines, sines, rows: tree?.positions ?? writer.integers([0]) }
}

/** Tables with a section for each text. @param column  float32 positions, [tokens, 1] or [batch, tokens, 1] */
function writeTablesOfEachText(writer: GraphWriter, rope: Rope, shape: TokenShape, column: string): RopeTables {
  const { attentionFactor } = rope
  const pairs = rope.dimensions / 2
  const { frequencies, factors } = writeFrequencies(writer, rope, shape)
  const angles = writer.op('Mul', [column, writer.op('Unsqueeze', [frequencies, writer.integers([1])])])
  const sections = writer.op('Range', [
    writer.integers([0], []),
    writer.op('Mul', [shape.batch, shape.tokens]),
    writer.integers([1], []),
  ])
  const rows = writer.op('Reshape', [sections, writer.op('Shape', [shape.inputIds])])
  const finish = (table: string) => {
    const multiplied =
      factors === null ? table : writer.op('Mul', [table, writer.op('Unsqueeze', [factors, writer.integers([1])])])
    const scaled = attentionFactor === 1 ? multiplied : writer.op('Mul', [multiplied, writer.float(attentionFactor)])
    return writer.op('Reshape', [scaled, writer.integers([-1, pairs])])
  }
  return { cosines: finish(writer.op('Cos', [angles])), sines: finish(writer.op('Sin', [angles])), rows }
}

/** Frequencies [1 or batch, pairs], and any factors on cosines and sines [batch, 1]. */
function writeFrequencies(
  writer: GraphWriter,
  { frequencies, dimensions }: Rope,
  shape: TokenShape,
): { frequencies: string; factors: string | null } {
  if (frequencies.kind !== 'fixed') return writeSetsByLength(writer, frequencies, dimensions / 2, shape)
  const { perPair } = frequencies
  return { frequencies: writer.floats(perPair, [1, perPair.length]), factors: null }
}

/** Frequencies [batch, pairs], and any factors on cosines and sines [batch, 1], by the length of each text. */
function writeSetsByLength(
  writer: GraphWriter,
  frequencies: Exclude<RopeFrequencies, { kind: 'fixed' }>,
  pairs: number,
  shape: TokenShape,
): { frequencies: string; factors: string | null } {
  const length = writer.op('ReduceSum', [shape.attentionMask, writer.integers([1])], { keepdims: 1 })
  if (frequencies.kind === 'two sets') {
    const { short, long, longestShort, factors } = frequencies
    const isLong = writer.op('Greater', [length, writer.integers([longestShort])])
    const choose = (long: number[], short: number[]) =>
      writer.op('Where', [isLong, ...[long, short].map((set) => writer.floats(set, [1, set.length]))])
    return {
      frequencies: choose(long, short),
      factors: factors === undefined ? null : choose([factors.long], [factors.short]),
    }
  }
  const { base, factor, positions } = frequencies
  const counted = writer.op('Cast', [writer.op('Max', [length, writer.integers([positions])])], {
    to: DataType.FLOAT,
  })
  const ratio = writer.op('Sub', [
    writer.op('Mul', [counted, writer.float(factor / positions)]),
    writer.float(factor - 1),
  ])
  const growth = writer.op('Pow', [ratio, writer.float(pairs / (pairs - 1))])
  const grown = writer.op('Mul', [growth, writer.float(base)])
  const exponents = Array.from({ length: pairs }, (_, pair) => -pair / pairs)
  return {
    frequencies: writer.op('Pow', [grown, writer.floats(exponents, [1, pairs])]),
    factors: null,
  }
}

/** Rotates queries or keys [batch, tokens, heads * head size]. */
export function writeRotation(
  writer: GraphWriter,
  rope: Rope,
  tables: RopeTables,
  input: string,
  { heads, headDim }: { heads: number; headDim: number },
): string {
  return writer.op('RotaryEmbedding', [input, tables.rows, tables.cosines, tables.sines], {
    interleaved: rope.interleaved ? 1 : 0,
    num_heads: heads,
    rotary_embedding_dim: rope.dimensions < headDim ? rope.dimensions : 0,
  })
}

/** Factors on the queries: float32 [tokens, 1], or [batch, tokens, 1] if texts are prefix trees or continued. */
export function writeTemperatureScaling(
  writer: GraphWriter,
  { rate, period, offset }: TemperatureScaling,
  shape: TokenShape,
): string {
  const scalar = (value: number) => writer.integers([value], [])
  const positions = writePositions(writer, shape, offset)
  const periods = writer.op('Cast', [writer.op('Div', [positions, scalar(period)])], { to: DataType.FLOAT })
  const logarithms = writer.op('Log', [writer.op('Add', [periods, writer.float(1)])])
  const factors = writer.op('Add', [writer.op('Mul', [logarithms, writer.float(rate)]), writer.float(1)])
  return writer.op('Unsqueeze', [factors, writer.integers([-1])])
}
