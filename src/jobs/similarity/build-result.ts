import { VERSION } from '../../base/version.js'
import type { Block } from '../../model/layers/block.js'
import { assessBest, type Certainty, summarizeCertainty } from '../../results/documents/certainty.js'
import { findBestBlock, scoreBlocks } from '../../results/documents/result-views.js'
import { SCHEMAS } from '../../results/documents/schemas.js'
import type { MetricResult, ScoredBlock, SimilarityResult } from '../../results/documents/similarity-result.js'
import type { DatasetName } from '../../texts/data/dataset-options.js'
import { takeHashes } from '../../texts/data/text-hashes.js'
import { blockIndex, countBlocks } from './distances.js'
import { type Measurement, saveProgress } from './measurement.js'
import type { SimilaritySettings } from './options.js'

const DEFAULT_LEVEL = 0.95

/** The parts of a result that are known before the first text. */
export interface RunDescription {
  model: SimilarityResult['model']
  dataset: DatasetName & { column: string }
  settings: SimilaritySettings
}

/**
 * The means of a run as the result that is printed and saved.
 * @param hashes  of the texts read, those of later texts may follow; undefined if they are not known
 */
export function buildResult(run: RunDescription, measurement: Measurement, hashes?: string): SimilarityResult {
  const { model, dataset, settings } = run
  const { layers } = model
  const { statistics, tokenless, window } = measurement
  const n = settings.layersToSkip
  const [decisive, ...others] = settings.metrics.map((metric, place) => ({
    metric,
    ...measureMetric(layers, n, statistics, place * countBlocks(layers)),
  }))
  const { metric, blocks, best, distances, standardErrors } = decisive!
  return {
    schema: SCHEMAS.similarity,
    model,
    dataset: {
      ...dataset,
      samples: statistics.texts,
      tokens: measurement.tokens,
      skipped: { empty: window.end.skipped.empty + tokenless, notText: window.end.skipped.notText },
      ...(hashes !== undefined && nameTexts(settings, window.end.rows, hashes)),
      fingerprint: window.start.digest,
    },
    ...describeSettings(settings),
    metric,
    blocks,
    best,
    certainty: assessCertainty(run, measurement, n),
    certaintyBySize: assessSizes(run, measurement),
    distances,
    standardErrors,
    ...(others.length === 0
      ? {}
      : {
          metrics: Object.fromEntries(
            others.map(({ metric, distances, standardErrors, best }) => [metric, { distances, standardErrors, best }]),
          ),
        }),
    ...(settings.everySize ? { bestBlocks: listBestBlocks(layers, { distances, standardErrors }) } : {}),
    ...(settings.shard === undefined ? {} : { progress: saveProgress(measurement) }),
  }
}

function nameTexts({ datasetSkip = 0 }: SimilaritySettings, texts: number, hashes: string) {
  return { end: datasetSkip + texts, hashes: takeHashes(hashes, texts) }
}

function listBestBlocks(
  layers: number,
  measured: Pick<MetricResult, 'distances' | 'standardErrors'>,
): Record<string, ScoredBlock> {
  const sizes = Array.from({ length: layers - 1 }, (_, index) => index + 1)
  return Object.fromEntries(
    sizes.map((n) => [n, scoreBlocks(measured, n)[findBestBlock(measured.distances, n).start]!]),
  )
}

/** @param offset  where the blocks of a metric start in the statistics */
function measureMetric(
  layers: number,
  n: number,
  statistics: Measurement['statistics'],
  offset: number,
): MetricResult & { blocks: ScoredBlock[] } {
  const perSize = <T>(value: (quantity: number) => T): Record<string, T[]> =>
    Object.fromEntries(
      Array.from({ length: layers }, (_, index) => [
        index + 1,
        Array.from({ length: layers - index }, (_, start) => value(offset + blockIndex(layers, index + 1, start))),
      ]),
    )
  const distances = perSize((quantity) => statistics.mean(quantity))
  const standardErrors = perSize((quantity) => statistics.standardError(quantity))
  const blocks = scoreBlocks({ distances, standardErrors }, n)
  return { distances, standardErrors, blocks, best: blocks[findBestBlock(distances, n).start]! }
}

type DescribedSettings = Pick<SimilarityResult, 'settings' | 'tokens' | 'layersToSkip' | 'shard' | 'layerpruneVersion'>

export function describeSettings(settings: SimilaritySettings): DescribedSettings {
  const { maxLength, batchSize, datasetSize, datasetSkip, shuffle, until, tokens, layersToSkip, shard } = settings
  return {
    settings: {
      maxLength,
      batchSize,
      ...(datasetSize === undefined ? {} : { datasetSize }),
      ...(datasetSkip === undefined ? {} : { datasetSkip }),
      ...(shuffle === undefined ? {} : { shuffle }),
      ...(until === undefined ? {} : { until }),
    },
    tokens,
    layersToSkip,
    ...(shard === undefined ? {} : { shard }),
    layerpruneVersion: VERSION,
  }
}

/** The result of an unfinished run, with all that is needed to continue it. */
export function buildPartialResult(run: RunDescription, measurement: Measurement, hashes: string): SimilarityResult {
  return { ...buildResult(run, measurement, hashes), partial: true, progress: saveProgress(measurement) }
}

/** The block of n layers with the smallest mean of the texts measured so far. */
export function findBestSoFar(layers: number, n: number, statistics: Pick<Measurement['statistics'], 'mean'>): Block {
  const means = Array.from({ length: layers - n + 1 }, (_, start) => statistics.mean(blockIndex(layers, n, start)))
  return findBestBlock({ [n]: means }, n)
}

/** Confidence in the best block of each size, by size; null if only one text was measured. */
function assessSizes(run: RunDescription, measurement: Measurement): SimilarityResult['certaintyBySize'] {
  const sizes = Array.from({ length: run.model.layers - 1 }, (_, index) => index + 1)
  const assessed = sizes.flatMap((n) => {
    const certainty = assessCertainty(run, measurement, n)
    return certainty === null ? [] : [[n, summarizeCertainty(certainty)] as const]
  })
  return assessed.length === 0 ? null : Object.fromEntries(assessed)
}

/** Confidence in the best block of n layers; null if only one text was measured. */
export function assessCertainty(
  { model: { layers }, settings: { until } }: RunDescription,
  { statistics }: Measurement,
  n: number,
): Certainty | null {
  if (statistics.texts < 2) return null
  const index = (start: number) => blockIndex(layers, n, start)
  const blocks = Array.from({ length: layers - n + 1 }, (_, start) => ({ start, end: start + n }))
  return assessBest(
    blocks,
    findBestSoFar(layers, n, statistics),
    (block, best) => statistics.difference(index(block.start), index(best.start)),
    {
      texts: statistics.texts,
      test: until === undefined ? 'fixed' : 'sequential',
      level: until ?? DEFAULT_LEVEL,
    },
  )
}
