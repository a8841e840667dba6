import type { ProgressOptions } from '../../base/progress.js'
import type { Model } from '../../engine/model.js'
import type { Continuation, ContinuationScores } from '../../engine/sessions/continuations.js'
import {
  type DecoderPieces,
  type Head,
  openDecoderPieces,
  type State,
} from '../../engine/sessions/decoder-pieces.js'
import type { SessionOptions } from '../../engine/sessions/session.js'
import type { MemoryLimit } from '../../engine/sessions/too-little-memory.js'
import type { Block } from '../../model/layers/block.js'
import { normalizeBlocks } from '../../model/layers/blocks.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import { countHeadShare } from '../run/run-rate.js'
import { BatchWork, type Costs, type OnAdvance } from './batch-work.js'
import { buildPrefixTree, type PrefixTree } from './prefix-tree.js'

/** A model ready to score texts, with any of some blocks of layers removed. */
export interface Evaluator {
  /**
   * Runs a batch through the model with each candidate's blocks removed. Layers that candidates have in common
   * from the bottom up run once.
   * @param candidates blocks to remove, in any order; none for the whole model
   * @param onAdvance  called after each part of the work
   * @returns for each candidate and text, the negative log-likelihood of its tokens but the first, in nats; not a
   *   finite number if a value on the way was not
   */
  measure(batch: EncodedText[], candidates: Block[][], onAdvance?: OnAdvance): Promise<Float64Array[]>
  /**
   * As `measure`, and compares what each candidate predicts with what the whole model does.
   * @returns of the whole model, then of each candidate
   */
  compare(batch: EncodedText[], candidates: Block[][], onAdvance?: OnAdvance): Promise<Compared[]>
  /**
   * Runs a batch likewise, and scores what may follow parts of its texts.
   * @returns for each candidate, the scores of the continuations
   */
  scoreContinuations(
    batch: EncodedText[],
    continuations: Continuation[],
    candidates: Block[][],
    onAdvance?: OnAdvance,
  ): Promise<ContinuationScores[]>
  close(): Promise<void>
}

/** An evaluator that knows how fast the layers ran. */
export interface TimedEvaluator extends Evaluator {
  /**
   * Tokens per second of a pass through the layers that remain without some blocks, by the mean time that each took so
   * far; embedding and head are not counted. Null if one of them did not run.
   */
  tokensPerSecond(removed: Block[]): number | null
}

/** What a model predicts of the texts of a batch; values are not finite numbers if one on the way was not. */
export interface Compared {
  /** For each text, the negative log-likelihood of its tokens but the first, in nats. */
  nats: Float64Array
  /** For each text, the sum over the same tokens of KL(whole || model), in nats. */
  divergences: Float64Array
  /** For each text, at how many of them the whole model's most probable token is the model's too. */
  agreements: Float64Array
}

export interface EvaluatorOptions extends SessionOptions, ProgressOptions {
  /** Blocks that candidates may remove; any if omitted. */
  blocks?: Block[] | undefined
  /** What the process may take of memory; the model is loaded layer by layer then. */
  limit?: MemoryLimit | undefined
  signal?: AbortSignal | undefined
  onNote?: ((message: string) => void) | undefined
}

/**
 * Opens a model as pieces that can be skipped: cut where a block starts or ends, or at every layer.
 * @throws LayerpruneError if the model has no head
 */
export async function openEvaluator(model: Model, options: EvaluatorOptions): Promise<TimedEvaluator> {
  const { layers } = model.config
  const boundaries = findBoundaries(layers, options.blocks)
  const pieces = await openDecoderPieces(model.decoder, model.config, boundaries, options)
  const pathOf = (removed: Block[]) => keptPieces(boundaries, normalizeBlocks(removed, layers))
  const costs: Costs = {
    ofPiece: (piece) => boundaries[piece + 1]! - boundaries[piece]!,
    head: layers * countHeadShare(model),
  }
  const batchOf = (texts: EncodedText[], onAdvance: OnAdvance | undefined): PathBatch => ({
    ...{ texts, costs, onAdvance },
    signal: options.signal,
  })
  /** Loads what the paths of candidates need. */
  const openPaths = async (candidates: Block[][], head: Head, onAdvance: OnAdvance | undefined) => {
    const paths = candidates.map(pathOf)
    const hasLoaded = await pieces.load(paths.flat(), { ...options, head })
    // the time of the batch starts here
    if (hasLoaded) onAdvance?.({ share: 0, candidates: 0 })
    return paths
  }
  return {
    async measure(batch, candidates, onAdvance) {
      const paths = await openPaths(candidates, 'likelihood', onAdvance)
      const score = (state: State) => pieces.score(state, batch)
      const scores = await runPaths({ pieces, score }, paths, batchOf(batch, onAdvance))
      return scores.map((likelihoods) => likelihoods.map((value) => 0 - value))
    },
    async compare(batch, candidates, onAdvance) {
      const paths = await openPaths([[], ...candidates], 'comparison', onAdvance)
      return comparePaths(pieces, paths, batchOf(batch, onAdvance))
    },
    async scoreContinuations(batch, continuations, candidates, onAdvance) {
      const paths = await openPaths(candidates, 'continuations', onAdvance)
      const score = (state: State) => pieces.scoreContinuations(state, continuations)
      return runPaths({ pieces, score }, paths, batchOf(batch, onAdvance))
    },
    tokensPerSecond: (removed) => countTokensPerSecond(pieces, pathOf(removed)),
    close: () => pieces.close(),
  }
}

/** Of a pass through some pieces, by the mean time that each took so far; null if one of them did not run. */
export function countTokensPerSecond(pieces: DecoderPieces, path: number[]): number | null {
  const seconds = path.map((piece) => pieces.secondsPerToken(piece))
  return seconds.some((value) => value === null) ? null : 1 / seconds.reduce((a, b) => a! + b!, 0)!
}

/** States at which pieces begin and end, so that any of the blocks can be omitted. */
export function findBoundaries(layers: number, blocks: Block[] | undefined): number[] {
  if (blocks === undefined) return Array.from({ length: layers + 1 }, (_, state) => state)
  const states = new Set([0, layers, ...blocks.flatMap(({ start, end }) => [start, end])])
  return [...states].sort((a, b) => a - b)
}

/** Kept pieces, ascending. */
export function keptPieces(boundaries: number[], removed: Block[]): number[] {
  return boundaries
    .slice(0, -1)
    .map((_, piece) => piece)
    .filter(
      (piece) => !removed.some(({ start, end }) => start <= boundaries[piece]! && boundaries[piece]! < end),
    )
}

/** What runs a batch, and what is made of each last state. */
export interface Scoring<Score> {
  pieces: Pick<DecoderPieces, 'embed' | 'run'>
  score: (state: State) => Promise<Score>
}

/** Texts that run together, and how. */
export interface PathBatch {
  texts: EncodedText[]
  /** To which texts are padded; the longest text's if omitted. */
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

/**
 * Runs a batch along several paths through the pieces.
 * @returns the score of each path
 */
export async function runPaths<Score>(
  { pieces, score: scoreState }: Scoring<Score>,
  paths: number[][],
  batch: PathBatch,
): Promise<Score[]> {
  const scores: Score[] = []
  if (paths.length === 0) return scores
  const tree = buildPrefixTree(paths)
  const work = new BatchWork(tree, batch.costs, batch.onAdvance)
  await walkTree(pieces, tree, { ...batch, work }, async (ends, state) => {
    const score = await scoreState(state)
    work.addHeads(1)
    for (const path of ends) scores[path] = score
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
