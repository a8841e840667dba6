import { LayerpruneError } from '../../../base/errors.js'
import type { TensorLocation } from '../../../files/checkpoint/safetensors.js'
import { quoteName } from '../../../files/checkpoint/safetensors-header.js'
import type { Architecture } from '../../../files/gguf/architecture.js'
import { type InvertedName, invertNames } from '../../../files/gguf/write/invert-names.js'
import type { DecoderLayout } from '../../../model/builder/layout.js'
import type { Attention, Decoder } from '../../../model/families/describe/description.js'
import { placeExperts } from './place-experts.js'
import { type Piece, type PlacedTensor, rowsOf, wholePiece } from './placed-tensor.js'

export interface Checkpoint {
  /** As the model uses them: unpacked. */
  tensors: ReadonlyMap<string, TensorLocation>
  decoder: Decoder
  layout: DecoderLayout
  /** Whether its numbers are in the order of a GGUF file, as those of one are. */
  isGguf: boolean
}

/**
 * The tensors of a checkpoint as a file of an architecture has them: under its names, with the rows in its order.
 * @throws LayerpruneError if the file has no name for one
 */
export function placeTensors(checkpoint: Checkpoint, architecture: Architecture): PlacedTensor[] {
  const { tensors, decoder, layout } = checkpoint
  const find = invertNames(architecture.tensors, layout.prefix, layout.headPrefixes)
  const { placed: experts, used } = placeExperts(decoder.layers, tensors)
  const stacks = new Map<string, { sources: TensorLocation[]; place: number }>()
  const whole: PlacedTensor[] = []
  for (const source of tensors.values()) {
    if (used.has(source.name) || !isNeeded(source.name, checkpoint)) continue
    const found = find(source.name)
    if (found === undefined) throw noName(source.name, architecture)
    if (found.index === undefined) {
      whole.push({ name: found.name, shape: shapeOf(source, found), pieces: [wholePiece(source)], offset: 0 })
      continue
    }
    const stack = stacks.get(found.name) ?? { sources: [], place: whole.length }
    stack.sources[found.index] = source
    stacks.set(found.name, stack)
  }
  const stacked = [...stacks].map(([name, { sources }]) => stackOf(name, sources))
  const placed = [...whole, ...stacked, ...experts]
  return checkpoint.isGguf ? placed : placed.map((tensor) => adapt(tensor, architecture, decoder))
}

/** Whether the decoder uses a tensor: not a stored mask, a tied head, another tower or a layer behind the last. */
function isNeeded(name: string, { decoder, layout, tensors }: Checkpoint): boolean {
  if (!layout.owns(name) || decoder.extras.some((extra) => extra.test(name))) return false
  const head = decoder.head?.linear.weight
  return head !== decoder.embedding.weight || !/(^|\.)(lm_head|embed_out)\.weight$/.test(name) || !tensors.has(head)
}

function shapeOf({ shape }: TensorLocation, { axis }: InvertedName): number[] {
  return axis === undefined ? shape : shape.toSpliced(axis, 1)
}

function stackOf(name: string, sources: TensorLocation[]): PlacedTensor {
  const shape = [sources.length, ...sources[0]!.shape]
  return { name, shape, pieces: sources.map(wholePiece), offset: 0 }
}

/** The tensor with its numbers as the file has them. */
function adapt(tensor: PlacedTensor, { dialect = {} }: Architecture, decoder: Decoder): PlacedTensor {
  const [, layer, base] = /^blk\.(\d+)\.(\w+)\./.exec(tensor.name) ?? []
  const offset = decoder.finalNorm?.weightOffset ?? 0
  if (dialect.foldsNormOffset && tensor.name.endsWith('_norm.weight')) return { ...tensor, offset }
  const mixer = decoder.layers[Number(layer ?? 0)]?.mixer
  if (base === undefined || mixer?.kind !== 'attention') return tensor
  if (dialect.interleavesRope && /^attn_[qk]$/.test(base)) return reorder(tensor, interleaved(mixer, base))
  if (dialect.transposesMatrices && tensor.name.endsWith('.weight') && tensor.shape.length === 2) return turn(tensor)
  if (dialect.stacksProjections && base === 'attn_qkv') return reorder(tensor, stackedProjections(mixer))
  return tensor
}

/** Rows of queries or keys with the two halves of each rotated pair side by side: an order for the rows of each head. */
function interleaved({ heads, kvHeads, headDim, rope }: Attention, base: string): number[] {
  const rotated = rope?.dimensions ?? headDim
  const own = Array.from({ length: headDim }, (_, row) =>
    row < rotated ? (row % 2) * (rotated / 2) + Math.floor(row / 2) : row,
  )
  return Array.from({ length: base === 'attn_q' ? heads : kvHeads }, (_, head) =>
    own.map((row) => head * headDim + row),
  ).flat()
}

/** All queries, then all keys, then all values, of rows that have them by head. */
function stackedProjections({ heads, headDim }: Attention): number[] {
  return [0, 1, 2].flatMap((part) =>
    Array.from({ length: heads * headDim }, (_, row) => {
      const head = Math.floor(row / headDim)
      return (3 * head + part) * headDim + (row % headDim)
    }),
  )
}

function turn({ pieces, shape, ...tensor }: PlacedTensor): PlacedTensor {
  return { ...tensor, shape: shape.toReversed(), pieces: pieces.map((piece) => ({ ...piece, turned: true })) }
}

/** The tensor with its rows in another order; the numbers of a vector are its rows. */
function reorder(tensor: PlacedTensor, order: number[]): PlacedTensor {
  const { source } = tensor.pieces[0]!
  if (tensor.shape.length === 1) return { ...tensor, pieces: [{ source, start: 0, end: 1, turned: true, order }] }
  return { ...tensor, pieces: splitOrder(source, order) }
}

/** Pieces in which rows are moved, each as small as it can be, so that few rows are held at a time. */
function splitOrder(source: TensorLocation, order: number[]): Piece[] {
  const pieces: Piece[] = []
  let start = 0
  let highest = -1
  for (const [place, row] of order.entries()) {
    highest = Math.max(highest, row)
    if (highest !== place) continue
    const moved = order.slice(start, place + 1).map((row) => row - start)
    pieces.push({ source, start, end: place + 1, order: moved })
    start = place + 1
  }
  return start === rowsOf(source) ? pieces : [{ source, start: 0, end: rowsOf(source), order }]
}

function noName(name: string, { family }: Architecture): LayerpruneError {
  return new LayerpruneError(`a GGUF file of the family ${family} has no name for tensor ${quoteName(name)}`, {
    hint: 'llama.cpp does not compute with it: export the model to ONNX instead',
  })
}
