import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { METRICS, type Metric, measureSimilarity, type SimilarityResult, UsageError } from '../../../src/index.js'
import { mergeShards } from '../../../src/jobs/similarity/merge-shards.js'
import { findBestBlock, selectMetric } from '../../../src/results/documents/result-views.js'
import { largestDifferenceByKey } from '../../support/largest-difference.js'
import { FIXTURES, TEXTS } from '../../support/paths.js'

type Measured = Pick<SimilarityResult, 'distances' | 'standardErrors'>
/** Written by make-metrics.py from PyTorch's states. */
const references: Record<string, Record<'last' | 'all', Record<Metric, Measured>>> = JSON.parse(
  readFileSync(join(FIXTURES, 'metrics.json'), 'utf8'),
)
const family = (name: string) => join(FIXTURES, 'families', name)
const maxLengthOf = (name: string): number =>
  JSON.parse(readFileSync(join(family(name), 'reference.json'), 'utf8')).maxLength

/**
 * Largest difference of two sets of numbers of the same shape, as a part of the distance if that is above 1: states
 * in float32 have so many digits, and what is computed from them no more.
 */
function largestPart(found: Measured, expected: Measured, key: keyof Measured): number {
  const scaled = (numbers: Measured) =>
    Object.fromEntries(
      Object.entries(numbers[key]).map(([n, row]) => [
        n,
        row.map((value, start) => value! / Math.max(1, expected.distances[n]![start]!)),
      ]),
    )
  return largestDifferenceByKey(scaled(found), scaled(expected))
}

describe.each(Object.keys(references))('%s', (name) => {
  it.each(['last', 'all'] as const)('equals PyTorch by every metric, tokens %s', async (tokens) => {
    const result = await measureSimilarity({
      model: family(name),
      dataset: TEXTS,
      layersToSkip: 1,
      batchSize: 16,
      maxLength: maxLengthOf(name),
      metric: [...METRICS],
      tokens,
    })
    expect(Object.keys(result.metrics!)).toEqual(METRICS.slice(1))
    for (const metric of METRICS) {
      const found = selectMetric(result, metric)
      const { distances, best } = found
      const expected = references[name]![tokens][metric]
      expect(largestPart(found, expected, 'distances'), metric).toBeLessThan(1e-6)
      expect(largestPart(found, expected, 'standardErrors'), metric).toBeLessThan(1e-6)
      expect(best.start, metric).toBe(findBestBlock(expected.distances, 1).start)
      expect(best.distance).toBe(distances[1]![best.start])
    }
  })
})

describe('several metrics', () => {
  const OPTIONS = { model: family('llama'), dataset: TEXTS, layersToSkip: 1, batchSize: 2 }
  const METRICS_ASKED: Metric[] = ['euclidean', 'angular']
  let both: SimilarityResult
  beforeAll(async () => {
    both = await measureSimilarity({ ...OPTIONS, metric: METRICS_ASKED })
  })

  it('gives each what a run of that metric alone gives, and lets the first decide', async () => {
    const [euclidean, angular] = await Promise.all(
      METRICS_ASKED.map((metric) => measureSimilarity({ ...OPTIONS, metric })),
    )
    expect(both.metric).toBe('euclidean')
    const { metrics, ...first } = both
    expect(first).toEqual(euclidean)
    const { distances, standardErrors, best } = angular!
    expect(metrics).toEqual({ angular: { distances, standardErrors, best } })
    expect(angular).toEqual(await measureSimilarity(OPTIONS))
  })

  it('puts shards together as one run measures them, and no others', async () => {
    const measure = async (index: number, metric = METRICS_ASKED): Promise<SimilarityResult> =>
      JSON.parse(JSON.stringify(await measureSimilarity({ ...OPTIONS, metric, shard: { index, count: 2 } })))
    const [one, two, other] = await Promise.all([measure(1), measure(2), measure(2, ['angular'])])
    const merged = mergeShards([
      { file: 'a.json', result: one },
      { file: 'b.json', result: two },
    ])
    expect(Object.keys(merged.metrics!)).toEqual(['angular'])
    for (const metric of METRICS_ASKED) {
      const [found, expected] = [selectMetric(merged, metric), selectMetric(both, metric)]
      expect(largestPart(found, expected, 'distances')).toBeLessThan(1e-12)
      expect(largestPart(found, expected, 'standardErrors')).toBeLessThan(1e-12)
    }
    expect(() =>
      mergeShards([
        { file: 'a.json', result: one },
        { file: 'b.json', result: other },
      ]),
    ).toThrow('b.json does not belong with a.json: `metric` is angular, there euclidean,angular')
  })

  it('resumes with the same metrics only', async () => {
    let partial: SimilarityResult | undefined
    await measureSimilarity({
      ...OPTIONS,
      metric: METRICS_ASKED,
      onBatch: (takePartial) => {
        partial ??= JSON.parse(JSON.stringify(takePartial()))
      },
    })
    expect(partial!.dataset.samples).toBe(2)
    expect(await measureSimilarity({ ...OPTIONS, metric: METRICS_ASKED, resumeFrom: partial })).toEqual(both)
    await expect(measureSimilarity({ ...OPTIONS, resumeFrom: partial })).rejects.toThrow(
      'the run cannot be resumed: `metric` was euclidean,angular and is angular',
    )
  })

  it.each([
    [[], 'metrics must name angular, cosine, block-influence, relative-magnitude or euclidean, found none'],
    [['angular', 'l1'], 'or euclidean, found l1'],
    [['cosine', 'cosine'], 'metric cosine is named more than once'],
  ])('refuses %j', async (metrics, message) => {
    const run = measureSimilarity({ ...OPTIONS, metric: metrics as Metric[] })
    await expect(run).rejects.toThrow(UsageError)
    await expect(run).rejects.toThrow(message)
  })
})
