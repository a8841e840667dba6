import { type DecoderPieces, openDecoderPieces, type State } from '../engine/decoder-pieces.js'
import type { SessionOptions } from '../engine/session.js'
import type { Block } from '../layers/block.js'
import { normalizeBlocks } from '../layers/blocks.js'
import type { Model } from '../model.js'
import type { EncodedText } from '../texts/windows.js'
import { buildPrefixTree, type PrefixTree } from './prefix-tree.js'

/** A model ready to score texts, with any of some blocks of layers removed. */
export interface Evaluator {
  /**
   * Runs a batch through the model with each candidate's blocks removed. Layers that candidates have in common
   * from the bottom up run once.
   * @param candidates blocks to remove, in any order; none for the whole model
   * @returns for each candidate and text, the negative log-likelihood of its tokens but the first, in nats; not a
   *   finite number if a value on the way was not
   */
  measure(batch: EncodedText[], candidates: Block[][]): Promise<Float64Array[]>
  close(): Promise<void>
}

export interface EvaluatorOptions extends SessionOptions {
  /** Blocks that candidates may remove; any if omitted. */
  blocks?: Block[] | undefined
  signal?: AbortSignal | undefined
}

/**
 * Opens a model as pieces that can be skipped: cut where a block starts or ends, or at every layer.
 * @throws LayerpruneError if the model has no head
 */
export async function openEvaluator(model: Model, options: EvaluatorOptions): Promise<Evaluator> {
  const { layers } = model.config
  const boundaries = findBoundaries(layers, options.blocks)
  const pieces = await openDecoderPieces(model.decoder, model.config, boundaries, options)
  return {
    async measure(batch, candidates) {
      const paths = candidates.map((removed) => keptPieces(boundaries, normalizeBlocks(removed, layers)))
      const scores = await runTree(pieces, buildPrefixTree(paths), batch, options.signal)
      return candidates.map((_, candidate) => scores.get(candidate)!.map((value) => 0 - value))
    },
    close: () => pieces.close(),
  }
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

/** Log-likelihood of each text, by sequence of the tree. A state is held for as long as a branch starts from it. */
export async function runTree(
  pieces: Pick<DecoderPieces, 'embed' | 'run' | 'score'>,
  tree: PrefixTree,
  batch: EncodedText[],
  signal: AbortSignal | undefined,
): Promise<Map<number, Float64Array>> {
  const scores = new Map<number, Float64Array>()
  async function walk(node: PrefixTree, state: State): Promise<void> {
    while (true) {
      signal?.throwIfAborted()
      if (node.ends.length > 0) {
        const score = await pieces.score(state, batch)
        for (const sequence of node.ends) scores.set(sequence, score)
      }
      const branches = [...node.next]
      const last = branches.pop()
      for (const [piece, branch] of branches) await walk(branch, await pieces.run(piece, state, batch))
      if (last === undefined) return
      const [piece, branch] = last
      state = await pieces.run(piece, state, batch)
      node = branch
    }
  }
  await walk(tree, await pieces.embed(batch))
  return scores
}
