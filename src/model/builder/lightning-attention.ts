import type { LightningAttention } from '../families/describe/description.js'
import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import { DataType } from '../graph/onnx/onnx.js'
import type { ContinuedTexts } from './caches.js'
import type { DecoderWriter } from './decoder-writer.js'
import { writeActivation, writeLinear } from './linear.js'
import { writeLinearRecurrence } from './linear-recurrence.js'
import { writeNorm } from './norm.js'
import type { TokenShape } from './rope.js'
import type { SharedInputs } from './shared-inputs.js'

/** int64 scalars: tokens per text, tokens per block, number of blocks. */
interface Blocks {
  tokens: string
  size: string
  count: string
}

/** Factors by a token's place in its block; the block axis has length 1. */
interface Decays {
  /** [heads, 1, size, 1] */
  queries: string
  keys: string
  /** [heads, 1, size, size] */
  scores: string
  /** [heads, 1, 1]: negative logarithm of the decay per token. */
  rates: string
}

/**
 * Writes lightning attention: [batch, tokens, hidden] to the same shape.
 *
 * Tokens are padded to whole blocks. Within a block scores are computed as in attention; earlier blocks are read from a
 * state that sums over them.
 */
export function writeLightningAttention(
  writer: DecoderWriter,
  lightning: LightningAttention,
  input: string,
  { shape }: SharedInputs,
): string {
  const attended =
    shape.continued === null
      ? writeInBlocks(writer, lightning, input, shape.tokens)
      : writeByToken(writer, lightning, input, shape, shape.continued)
  const gate = writer.op('Sigmoid', [writeLinear(writer, lightning.gate, input)])
  const gated = writer.op('Mul', [writeNorm(writer, lightning.norm, attended), gate])
  return writeLinear(writer, lightning.output, gated)
}

/** The heads' outputs, [batch, tokens, heads * head size]. */
function writeInBlocks(writer: DecoderWriter, lightning: LightningAttention, input: string, tokens: string): string {
  const { heads, headDim } = lightning
  const blocks = writeBlocks(writer, tokens, lightning.block)
  const decays = writeDecays(writer, lightning, blocks)
  const [query, key, value] = writeInputs(writer, lightning, input, blocks)
  const turned = writer.op('Transpose', [key], { perm: [0, 1, 2, 4, 3] })
  const scores = writer.op('Mul', [writer.op('MatMul', [query, turned]), decays.scores])
  const own = writer.op('MatMul', [scores, value])

  const fading = writer.op('Transpose', [writer.op('Mul', [key, decays.keys])], { perm: [0, 1, 2, 4, 3] })
  const states = writeStates(writer, lightning, writer.op('MatMul', [fading, value]), decays.rates, blocks)
  const older = writer.op('MatMul', [writer.op('Mul', [query, decays.queries]), states])
  const byToken = writer.op('Transpose', [writer.op('Add', [own, older])], { perm: [0, 2, 3, 1, 4] })
  const padded = writer.op('Reshape', [byToken, writer.integers([0, -1, 1, heads * headDim])])
  return writer.op('Slice', [
    writer.op('Squeeze', [padded, writer.integers([2])]),
    writer.integers([0]),
    asList(writer, blocks.tokens),
    writer.integers([1]),
  ])
}

/** The same as a recurrence, which continues from the state of earlier runs. */
function writeByToken(
  writer: DecoderWriter,
  { packed, activation, heads, headDim, block, decay }: LightningAttention,
  input: string,
  { inputIds }: TokenShape,
  continued: ContinuedTexts,
): string {
  const active = writeActivation(writer, activation, writeLinear(writer, packed, input))
  const perHead = writer.op('Reshape', [active, writer.integers([0, 0, heads, 3 * headDim])])
  const [query, key, value] = writer
    .ops('Split', [perHead, writer.integers([headDim, headDim, headDim])], 3, { axis: -1 })
    .map((part) => writer.op('Reshape', [part, writer.integers([0, 0, heads * headDim])]))
  const rates = writeRates(writer, { decay, heads, block })
  const shape = writer.op('Concat', [writer.op('Shape', [inputIds]), writer.integers([1])], { axis: 0 })
  return writeLinearRecurrence(
    writer,
    { query: query!, key: key!, value: value!, decay: writer.op('Expand', [writer.op('Neg', [rates]), shape]) },
    { queryHeads: heads, heads, state: [headDim, headDim], rule: 'gated', scale: 1, kind: 'recurrent' },
    continued,
  )
}

/** Negative logarithms of each head's decay per token: float32 [1, 1, heads]. */
function writeRates(
  writer: DecoderWriter,
  { decay, heads, block }: Pick<LightningAttention, 'decay' | 'heads' | 'block'>,
): string {
  if (decay.kind === 'computed') return writer.floats(decay.rates, [1, 1, heads])
  writer.weights.pass(decay.queries, [heads, block, 1])
  writer.weights.pass(decay.keys, [heads, block, 1])
  writer.weights.pass(decay.scores, [1, heads, block, block])
  return writer.op('Reshape', [writer.weights.float(decay.rates, [heads, 1, 1]), writer.integers([1, 1, heads])])
}

/** A text shorter than a block is one block of its own length. */
function writeBlocks(writer: GraphWriter, tokens: string, block: number): Blocks {
  const size = writer.op('Min', [tokens, writer.integers([block], [])])
  const last = writer.op('Sub', [tokens, writer.integers([1], [])])
  const count = writer.op('Add', [writer.op('Div', [last, size]), writer.integers([1], [])])
  return { tokens, size, count }
}

/** Queries, keys and values: each [batch, heads, blocks, block size, head size], zero-padded after the text. */
function writeInputs(
  writer: DecoderWriter,
  { packed, activation, heads, headDim }: LightningAttention,
  input: string,
  { tokens, size, count }: Blocks,
): [query: string, key: string, value: string] {
  const active = writeActivation(writer, activation, writeLinear(writer, packed, input))
  const missing = writer.op('Sub', [writer.op('Mul', [size, count]), tokens])
  const pads = writer.op('Concat', [writer.integers([0, 0, 0, 0]), asList(writer, missing), writer.integers([0])], {
    axis: 0,
  })
  const form = writer.op(
    'Concat',
    [writer.integers([0]), asList(writer, count), asList(writer, size), writer.integers([heads, 3 * headDim])],
    { axis: 0 },
  )
  const perHead = writer.op('Reshape', [writer.op('Pad', [active, pads]), form])
  const byHead = writer.op('Transpose', [perHead], { perm: [0, 3, 1, 2, 4] })
  const parts = writer.ops('Split', [byHead, writer.integers([headDim, headDim, headDim])], 3, { axis: -1 })
  return parts as [string, string, string]
}

/** The state at the start of each block, in the shape of the blocks' contributions: [batch, heads, blocks, head size, head size]. */
function writeStates(
  writer: GraphWriter,
  { heads, headDim }: LightningAttention,
  added: string,
  rates: string,
  { size, count }: Blocks,
): string {
  const distance = writer.op('Sub', [writeDistances(writer, count), writer.integers([1], [])])
  const tokens = writer.op('Mul', [distance, size])
  const weights = writeFading(writer, tokens, rates)
  const flat = writer.op('Reshape', [added, writer.integers([0, 0, 0, headDim * headDim])])
  const sums = writer.op('MatMul', [weights, flat])
  return writer.op('Reshape', [sums, writer.integers([0, heads, -1, headDim, headDim])])
}

/** int64 [count, count]: row minus column. */
function writeDistances(writer: GraphWriter, count: string): string {
  const numbers = writer.op('Range', [writer.integers([0], []), count, writer.integers([1], [])])
  return writer.op('Sub', [writer.op('Unsqueeze', [numbers, writer.integers([1])]), numbers])
}

/** e^(-rate * distance), or 0 for negative distances: [heads, ...] for int64 distances [a, b]. */
function writeFading(writer: GraphWriter, distances: string, rates: string): string {
  const none = writer.integers([0], [])
  const past = writer.op('Cast', [writer.op('Max', [distances, none])], { to: DataType.FLOAT })
  const factors = writer.op('Exp', [writer.op('Neg', [writer.op('Mul', [past, rates])])])
  return writer.op('Where', [writer.op('Less', [distances, none]), writer.float(0), factors])
}

function writeDecays(writer: DecoderWriter, { decay, heads, block }: LightningAttention, { size }: Blocks): Decays {
  const perBlock = (tensor: string) => writer.op('Unsqueeze', [tensor, writer.integers([1])])
  if (decay.kind === 'stored') {
    const first = (tensor: string, axes: number[]) =>
      writer.op('Slice', [
        tensor,
        writer.integers(axes.map(() => 0)),
        writer.op(
          'Concat',
          axes.map(() => asList(writer, size)),
          { axis: 0 },
        ),
        writer.integers(axes),
      ])
    const last = (tensor: string) =>
      writer.op('Slice', [
        tensor,
        asList(writer, writer.op('Neg', [size])),
        writer.integers([block]),
        writer.integers([1]),
      ])
    const scores = writer.weights.float(decay.scores, [1, heads, block, block])
    return {
      queries: perBlock(first(writer.weights.float(decay.queries, [heads, block, 1]), [1])),
      keys: perBlock(last(writer.weights.float(decay.keys, [heads, block, 1]))),
      scores: perBlock(first(writer.op('Squeeze', [scores, writer.integers([0])]), [1, 2])),
      rates: writer.weights.float(decay.rates, [heads, 1, 1]),
    }
  }
  const rates = writer.floats(decay.rates, [heads, 1, 1])
  const places = writer.op('Unsqueeze', [
    writer.op('Range', [
      writer.integers([1], []),
      writer.op('Add', [size, writer.integers([1], [])]),
      writer.integers([1], []),
    ]),
    writer.integers([1]),
  ])
  return {
    queries: perBlock(writeFading(writer, places, rates)),
    keys: perBlock(writeFading(writer, writer.op('Sub', [size, places]), rates)),
    scores: perBlock(writeFading(writer, writeDistances(writer, size), rates)),
    rates,
  }
}

/** An int64 scalar as a list of one. */
function asList(writer: GraphWriter, scalar: string): string {
  return writer.op('Unsqueeze', [scalar, writer.integers([0])])
}
