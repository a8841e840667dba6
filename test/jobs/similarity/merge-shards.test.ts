import { beforeAll, describe, expect, it } from 'vitest'
import { measureSimilarity, type SimilarityOptions, type SimilarityResult } from '../../../src/index.js'
import { mergeShards } from '../../../src/jobs/similarity/merge-shards.js'
import { LLAMA, TEXTS } from '../../support/paths.js'

const OPTIONS: SimilarityOptions = { model: LLAMA, dataset: TEXTS, layersToSkip: 1, batchSize: 2 }

const measureShard = (index: number, count: number, options: Partial<SimilarityOptions> = {}) =>
  measureSimilarity({ ...OPTIONS, ...options, shard: { index, count } })

const name = (results: SimilarityResult[]) =>
  results.map((result, index) => ({ file: `${'abcdefg'[index]}.json`, result }))

/** What JSON makes of a result and back. */
const saved = <T>(value: T): T => JSON.parse(JSON.stringify(value))

describe('mergeShards', () => {
  let shards: SimilarityResult[]
  beforeAll(async () => {
    shards = await Promise.all([1, 2, 3].map(async (index) => saved(await measureShard(index, 3))))
  })

  it.each(['last', 'all', 'tail:3'] as const)('gives what one run gives, with tokens %s', async (tokens) => {
    const whole = saved(await measureSimilarity({ ...OPTIONS, tokens }))
    const parts = await Promise.all([3, 1, 4, 2].map(async (index) => saved(await measureShard(index, 4, { tokens }))))
    expect(parts.map(({ dataset }) => dataset.samples).sort()).toEqual([1, 2, 2, 2])
    const merged = mergeShards(name(parts))
    expect({ ...merged, ...pickNumbers(whole) }).toEqual(whole)
    const numbers = flatNumbers(merged)
    for (const [index, number] of flatNumbers(whole).entries()) {
      expect(Math.abs(numbers[index]! - number)).toBeLessThan(1e-12)
    }
  })

  it('refuses what does not belong together, naming it', async () => {
    const [one, two, three] = shards as [SimilarityResult, SimilarityResult, SimilarityResult]
    const merge =
      (...results: SimilarityResult[]) =>
      () =>
        mergeShards(name(results))
    expect(merge(one, two, two)).toThrow('b.json and c.json are the same shard, 2 of 3')
    expect(merge(one, three)).toThrow('of 3 shards 2 is missing')
    expect(merge(two)).toThrow('of 3 shards 1 and 3 are missing')
    const many = { ...one, shard: { index: 1, count: 1e9 } }
    expect(merge(many)).toThrow('of 1,000,000,000 shards 2, 3, 4, 5, 6 and 999,999,994 more are missing')
    expect(merge(one, { ...two, partial: true }, three)).toThrow('b.json is partial')
    expect(merge(one, { ...two, shard: { index: 2, count: 4 } })).toThrow(
      'b.json is shard 2 of 4, and a.json one of 3: they overlap',
    )
    const { shard, ...whole } = two
    expect(merge(one, whole)).toThrow('b.json is not the result of a shard')
    const others: [Partial<SimilarityResult>, string][] = [
      [{ settings: { ...two.settings, maxLength: 5 } }, '`maxLength` is 5, there 128'],
      [{ settings: { ...two.settings, datasetSize: 6 } }, '`datasetSize` is 6, there not given'],
      [{ settings: { ...two.settings, shuffle: 1 } }, '`shuffle` is 1, there not given'],
      [{ tokens: 'tail:2' }, '`tokens` is tail:2, there last'],
      [{ layersToSkip: 2 }, '`layersToSkip` is 2, there 1'],
      [{ layerpruneVersion: '0.0.1' }, 'the version of layerprune is 0.0.1'],
      [{ model: { ...two.model, fingerprint: 'f'.repeat(64) } }, 'the model is ffffffffffff'],
      [{ dataset: { ...two.dataset, fingerprint: 'e'.repeat(64) } }, 'the dataset is eeeeeeeeeeee'],
    ]
    for (const [change, message] of others) {
      expect(merge(one, { ...two, ...change })).toThrow(`b.json does not belong with a.json: ${message}`)
    }
    const { progress, ...without } = two
    expect(merge(one, without, three)).toThrow('b.json holds no progress')
    const damaged = { ...progress!, statistics: { ...progress!.statistics, square: 'AAAA' } }
    expect(merge(one, { ...two, progress: damaged }, three)).toThrow('the progress in b.json is damaged')
  })

  it('has no shard without a text', async () => {
    await expect(measureShard(9, 12)).rejects.toThrow(`shard 9 of 12 holds no text to measure: ${TEXTS} has 7 texts`)
  })
})

function pickNumbers({ blocks, best, certainty, distances, standardErrors }: SimilarityResult) {
  return { blocks, best, certainty, distances, standardErrors }
}

function flatNumbers(value: unknown): number[] {
  if (typeof value === 'number') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(flatNumbers) : []
}
