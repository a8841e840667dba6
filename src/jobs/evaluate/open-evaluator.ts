import type { Model } from '../../engine/model.js'
import { type Head, openDecoderPieces, type State } from '../../engine/sessions/decoder-pieces.js'
import { SessionProcess } from '../../engine/sessions/session-process.js'
import type { Block } from '../../model/layers/block.js'
import { normalizeBlocks } from '../../model/layers/blocks.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import { countHeadShare } from '../run/run-rate.js'
import type { Costs, OnAdvance } from './batch-work.js'
import type { EvaluatorOptions, TimedEvaluator } from './evaluator.js'
import { countTokensPerSecond, findBoundaries, keptPieces } from './kept-pieces.js'
import { comparePaths, type PathBatch, runPaths } from './run-paths.js'

/**
 * Opens a model as pieces that can be skipped: cut where a block starts or ends, or at every layer.
 * @throws LayerpruneError if the model has no head
 */
export async function openEvaluator(model: Model, options: EvaluatorOptions): Promise<TimedEvaluator> {
  const { layers } = model.config
  const boundaries = findBoundaries(layers, options.blocks)
  const apart = options.apart ?? new SessionProcess(options.signal)
  const pieces = await openDecoderPieces(model.decoder, model.config, boundaries, { ...options, apart })
  const pathOf = (removed: Block[]) => keptPieces(boundaries, normalizeBlocks(removed, layers))
  const costs: Costs = {
    ofPiece: (piece) => boundaries[piece + 1]! - boundaries[piece]!,
    head: layers * countHeadShare(model),
  }
  const batchOf = (texts: EncodedText[], onAdvance: OnAdvance | undefined): PathBatch => ({
    ...{ texts, costs, onAdvance },
    signal: options.signal,
  })
  const openPaths = async (candidates: Block[][], head: Head, onAdvance: OnAdvance | undefined) => {
    const paths = candidates.map(pathOf)
    const hasLoaded = await pieces.load(paths.flat(), { ...options, head })
    // the time of the batch starts here
    if (hasLoaded) onAdvance?.({ share: 0, candidates: 0 })
    return paths
  }
  return {
    async measure(batch, candidates, onAdvance, onScore) {
      const paths = await openPaths(candidates, 'likelihood', onAdvance)
      const score = async (state: State) => (await pieces.score(state, batch)).map((value) => 0 - value)
      return runPaths({ pieces, score }, paths, batchOf(batch, onAdvance), onScore)
    },
    async compare(batch, candidates, onAdvance) {
      const paths = await openPaths([[], ...candidates], 'comparison', onAdvance)
      return comparePaths(pieces, paths, batchOf(batch, onAdvance))
    },
    async scoreContinuations(batch, continuations, candidates, onAdvance, onScore) {
      const paths = await openPaths(candidates, 'continuations', onAdvance)
      const score = (state: State) => pieces.scoreContinuations(state, continuations)
      return runPaths({ pieces, score }, paths, batchOf(batch, onAdvance), onScore)
    },
    tokensPerSecond: (removed) => countTokensPerSecond(pieces, pathOf(removed)),
    async close() {
      await pieces.close()
      if (options.apart === undefined) apart.end()
    },
  }
}
