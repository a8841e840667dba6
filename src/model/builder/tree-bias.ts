import type { Decoder, Mixer } from '../families/describe/description.js'
import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import type { TreeInputs } from './rope.js'
import { type SpanForm, writeBatchBias, writeFirstSeen } from './span-bias.js'

/** int64: indices of queries [queries] and keys [keys] in the text; first query [1], and the end of both [1]. */
interface Places {
  queries: string
  keys: string
  start: string
  end: string
}

/**
 * Whether a decoder can read prefix trees: a token's state may depend only on the tokens it sees and their positions.
 * Recurrences and convolutions depend on the order in which tokens are written, and frequencies that depend on the
 * length of a text would use one length for the whole tree.
 */
export function canReadTrees({ layers }: Decoder): boolean {
  return layers.every(({ mixer, preface }) =>
    [mixer, preface?.attention ?? null].every((part) => part === null || mixesByPosition(part)),
  )
}

function mixesByPosition(mixer: Mixer): boolean {
  if (mixer.kind === 'parallel') return mixer.branches.every(({ mixer: branch }) => mixesByPosition(branch))
  if (mixer.kind !== 'attention' && mixer.kind !== 'latent') return false
  return mixer.rope === null || mixer.rope.frequencies.kind === 'fixed'
}

/** The bias on the scores of each stack of query heads, [batch, 1 or key heads, stacked queries, keys]. */
export function writeTreeBias(
  writer: GraphWriter,
  { positions, seenUntil }: TreeInputs,
  { queries, keys, start, end }: Places,
  form: SpanForm,
): string {
  const column = (tensor: string) => writer.op('Unsqueeze', [tensor, writer.integers([-1])])
  const row = (tensor: string) => writer.op('Unsqueeze', [tensor, writer.integers([1])])
  const take = (tensor: string, from: string) => writer.op('Slice', [tensor, from, end, writer.integers([1])])
  const first = writer.integers([0])
  const keyPositions = row(take(positions, first))
  const places = column(queries)
  let masked = writer.op('Or', [
    writer.op('Greater', [keys, places]),
    writer.op('LessOrEqual', [row(take(seenUntil, first)), places]),
  ])
  const firstSeen = writeFirstSeen(writer, column(take(positions, start)), form)
  if (firstSeen !== null) {
    masked = writer.op('Or', [masked, writer.op('Less', [keyPositions, firstSeen])])
  }
  return writeBatchBias(writer, masked, { queries, keys, keyPositions }, form)
}
