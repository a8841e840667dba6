import type { DecoderPieces, State } from '../../engine/sessions/decoder-pieces.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import { BatchWork, type Costs, type OnAdvance } from './batch-work.js'
import type { Compared, OnScore } from './evaluator.js'
import { buildPrefixTree, type PrefixTree } from './prefix-tree.js'

/** The pieces that run a batch, and the score of each last state. */
export interface Scoring<Score> {
  pieces: Pick<DecoderPieces, 'embed' | 'run'>
  score: (state: State) => Promise<Score>
}

export interface PathBatch {
  texts: EncodedText[]
  /** Length that texts are padded to; the longest text's if omitted. */
  tokens?: number | undefined
  /**
   * Whether each piece runs along all paths before the next one does: it is needed once for all of them, and a state of
   * each path is held. Otherwise the paths run one after another, and a state is held only for those that branch off.
   */
  pieceByPiece?: boolean
  costs: Costs
  onAdvance?: OnAdvance | undefined
  signal?: AbortSignal | undefined
}

/** Runs a batch along several paths through the pieces; returns the score of each path, and notes each as soon as it is known. */
export async function runPaths<Score>(
  { pieces, score: scoreState }: Scoring<Score>,
  paths: number[][],
  batch: PathBatch,
  onScore?: OnScore<Score>,
): Promise<Score[]> {
  const scores: Score[] = []
  if (paths.length === 0) return scores
  const tree = buildPrefixTree(paths)
  const work = new BatchWork(tree, batch.costs, batch.onAdvance)
  await walkTree(pieces, tree, { ...batch, work }, async (ends, state) => {
    const score = await scoreState(state)
    work.addHeads(1)
    for (const path of ends) {
      scores[path] = score
      await onScore?.(path, score)
    }
  })
  return scores
}

/** Time that comparing predictions adds to the head, measured on SmolLM2: so many times as long in all. */
const COMPARISON_COST = 1.8

/** Bytes of last states that are held before they are compared. */
const HELD_BYTES = 256e6

/** Compares what paths through the pieces predict with what the first of them does. */
export async function comparePaths(
  pieces: Pick<DecoderPieces, 'embed' | 'run' | 'compare'>,
  paths: number[][],
  batch: PathBatch,
): Promise<Compared[]> {
  const tree = buildPrefixTree(paths)
  const costs = { ...batch.costs, head: COMPARISON_COST * batch.costs.head }
  const work = new BatchWork(tree, costs, batch.onAdvance)
  const compared: Compared[] = []
  let reference: { ends: number[]; state: State } | undefined
  let held: { ends: number[]; state: State }[] = []
  const compareHeld = async () => {
    const group = [reference!, ...held]
    held = []
    const comparisons = await pieces.compare(
      group.map(({ state }) => state),
      batch.texts,
      (share) => work.addHeads(share * group.length),
    )
    for (const [index, { ends }] of group.entries()) {
      const { logLikelihoods, divergences, agreements } = comparisons[index]!
      const nats = logLikelihoods.map((value) => 0 - value)
      for (const path of ends) compared[path] ??= { nats, divergences, agreements }
    }
  }
  await walkTree(pieces, tree, { ...batch, work }, async (ends, state) => {
    if (ends.includes(0)) reference = { ends, state }
    else held.push({ ends, state })
    if (reference !== undefined && held.length * state.data.byteLength >= HELD_BYTES) await compareHeld()
  })
  if (held.length > 0 || compared.length === 0) await compareHeld()
  return compared
}

/** Runs a batch along every path of a tree. A state is held for as long as a branch starts from it. */
async function walkTree(
  pieces: Scoring<unknown>['pieces'],
  tree: PrefixTree,
  { texts, tokens, pieceByPiece = false, signal, work }: PathBatch & { work: BatchWork },
  visitEnd: (ends: number[], state: State) => Promise<void>,
): Promise<void> {
  const pending: PendingBranch[] = []
  const visit = async ({ ends, next }: PrefixTree, state: State): Promise<void> => {
    signal?.throwIfAborted()
    if (ends.length > 0) {
      work.addEnds(ends.length)
      await visitEnd(ends, state)
    }
    for (const [piece, node] of [...next].reverse()) pending.push({ piece, node, state })
  }
  await visit(tree, await pieces.embed(texts, tokens))
  while (pending.length > 0) {
    const { piece, node, state } = pieceByPiece ? takeLowest(pending) : pending.pop()!
    const next = await pieces.run(piece, state, texts)
    work.addPiece(piece)
    await visit(node, next)
  }
}

/** A piece that is still to be run, on the state that it starts from. */
interface PendingBranch {
  piece: number
  node: PrefixTree
  state: State
}

function takeLowest(pending: PendingBranch[]): PendingBranch {
  const lowest = Math.min(...pending.map(({ piece }) => piece))
  const [branch] = pending.splice(
    pending.findIndex(({ piece }) => piece === lowest),
    1,
  )
  return branch!
}
