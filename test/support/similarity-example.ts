import type { ScoredBlock, SimilarityResult } from '../../src/results/documents/similarity-result.js'

/** A result with the given distances of blocks of `layersToSkip` layers, every other field plausible. */
export function exampleResult(
  distances: number[],
  { layersToSkip = 8, standardError = 0.0009 as number | null } = {},
): SimilarityResult {
  const blocks: ScoredBlock[] = distances.map((distance, start) => ({
    start,
    end: start + layersToSkip,
    distance,
    standardError,
  }))
  const best = blocks.reduce((a, b) => (b.distance < a.distance ? b : a))
  return {
    schema: 'layerprune.similarity/1',
    model: {
      id: 'models/small',
      revision: null,
      askedRevision: null,
      family: 'llama',
      layers: distances.length + layersToSkip - 1,
      hiddenSize: 64,
      dtype: 'fp32',
      checkpointDtype: 'bfloat16',
      file: 'onnx/model.onnx',
      fingerprint: 'ab'.repeat(32),
    },
    dataset: {
      id: 'data/texts.jsonl',
      config: null,
      split: null,
      revision: null,
      column: 'text',
      samples: 128,
      tokens: 32768,
      skipped: { empty: 0, notText: 0 },
      fingerprint: 'cd'.repeat(32),
    },
    settings: { maxLength: 256, batchSize: 8 },
    metric: 'angular',
    tokens: 'last',
    layersToSkip,
    blocks,
    best,
    certainty: null,
    distances: { [layersToSkip]: distances },
    standardErrors: { [layersToSkip]: distances.map(() => standardError) },
    layerpruneVersion: '0.1.0',
  }
}

/**
 * A result with distances of every size, a hundredth of `of(start, n) + n`.
 * @param of  0 or more
 */
export function allSizesResult(
  layers: number,
  layersToSkip: number,
  of: (start: number, n: number) => number,
): SimilarityResult {
  const row = (n: number) => Array.from({ length: layers - n + 1 }, (_, start) => Math.min(1, (of(start, n) + n) / 100))
  const sizes = Array.from({ length: layers }, (_, i) => i + 1)
  return {
    ...exampleResult(row(layersToSkip), { layersToSkip, standardError: 0.001 }),
    distances: Object.fromEntries(sizes.map((n) => [n, row(n)])),
    standardErrors: Object.fromEntries(sizes.map((n) => [n, row(n).map(() => 0.001)])),
  }
}
