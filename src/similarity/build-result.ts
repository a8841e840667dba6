import type { Model } from '../model.js'
import { VERSION } from '../version.js'
import { findBestBlock } from './blocks.js'
import { blockIndex } from './distances.js'
import type { SimilaritySettings } from './options.js'
import type { ScoredBlock, SimilarityResult } from './result.js'
import type { RunningMeans } from './statistics.js'

/** What a run has measured so far. */
export interface Measurement {
  means: RunningMeans
  /** Tokens read by the model. */
  tokens: number
  skipped: { empty: number; notText: number }
  /** Texts in which the tokenizer found no token. */
  tokenless: number
}

/** The means of a run as the result that is printed and saved. */
export function buildResult(
  { id, config, precision, file }: Model,
  dataset: { id: string; column: string },
  { means, tokens, skipped, tokenless }: Measurement,
  settings: SimilaritySettings,
): SimilarityResult {
  const { layers } = config
  const sizes = Array.from({ length: layers }, (_, index) => index + 1)
  const perSize = <T>(value: (block: number) => T): Record<string, T[]> =>
    Object.fromEntries(
      sizes.map((n) => [
        n,
        Array.from({ length: layers - n + 1 }, (_, start) => value(blockIndex(layers, n, start))),
      ]),
    )
  const distances = perSize((block) => means.mean(block))
  const standardErrors = perSize((block) => means.standardError(block))
  const n = settings.layersToSkip
  const blocks: ScoredBlock[] = distances[n]!.map((distance, start) => ({
    start,
    end: start + n,
    distance,
    standardError: standardErrors[n]![start]!,
  }))
  return {
    schema: 'layerprune.similarity/1',
    model: {
      id,
      family: config.family,
      layers,
      hiddenSize: config.hiddenSize,
      dtype: precision.dtype,
      checkpointDtype: config.storedDtype,
      file,
    },
    dataset: {
      ...dataset,
      samples: means.texts,
      tokens,
      skipped: { empty: skipped.empty + tokenless, notText: skipped.notText },
    },
    settings: { maxLength: settings.maxLength, batchSize: settings.batchSize },
    metric: 'angular',
    tokens: settings.tokens,
    layersToSkip: n,
    blocks,
    best: blocks[findBestBlock(distances, n).start]!,
    distances,
    standardErrors,
    layerpruneVersion: VERSION,
  }
}
