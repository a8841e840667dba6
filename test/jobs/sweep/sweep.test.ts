import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  evaluatePerplexity,
  InterruptedError,
  measureSimilarity,
  mergeSweeps,
  type SweepOptions,
  type SweepProgress,
  sweepCuts,
} from '../../../src/index.js'
import { pruneModel } from '../../../src/jobs/prune/prune.js'
import { findNearestBlocks } from '../../../src/results/documents/result-views.js'
import type { SweepResult } from '../../../src/results/documents/sweep-result.js'
import { ROOT } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const RUN = {
  model: join(ROOT, 'examples/model'),
  dataset: join(ROOT, 'examples/texts.jsonl'),
  datasetSize: 4,
  batchSize: 2,
  maxLength: 24,
  threads: 1,
} satisfies SweepOptions
const OPTIONS = { ...RUN, verifySize: 3 } satisfies SweepOptions
const MEASURED: SweepOptions = {
  ...OPTIONS,
  strategies: ['angular', 'block-influence', 'deepest'],
  sizes: [5, 1, 3],
}

/** What does not depend on how fast the machine is. */
function withoutSpeed({ whole, candidates, ...result }: SweepResult): unknown {
  return JSON.parse(
    JSON.stringify({
      ...result,
      whole: { ...whole, tokensPerSecond: 0 },
      candidates: candidates.map((cut) => ({ ...cut, tokensPerSecond: 0 })),
    }),
  )
}

describe('sweepCuts', () => {
  let sweep: SweepResult
  const notes: string[] = []
  const saved: SweepProgress[] = []
  beforeAll(async () => {
    sweep = await sweepCuts({
      ...MEASURED,
      onNote: (note) => notes.push(note),
      onSaved: async (progress) => void saved.push(structuredClone(progress)),
    })
  })

  it('takes of the nearest blocks of each size that of the lowest perplexity, unless told otherwise', async () => {
    const { distances } = await measureSimilarity({ ...RUN, layersToSkip: 1 })
    const verified = await sweepCuts({ ...OPTIONS, sizes: [2, 4] })
    expect(verified.strategies).toEqual(['verified'])
    for (const { layersToSkip, removed } of verified.candidates) {
      const nearest = findNearestBlocks(distances, layersToSkip, 8).map(({ start, end }) => [{ start, end }])
      const { candidates } = await evaluatePerplexity({ ...RUN, datasetSize: 1, candidates: nearest })
      const best = candidates.toSorted((a, b) => a.perplexity! - b.perplexity!).slice(0, 2)
      const { candidates: finalists } = await evaluatePerplexity({ ...RUN, candidates: best.map((cut) => cut.removed) })
      const lowest = finalists.reduce((a, b) => (b.perplexity! < a.perplexity! ? b : a))
      expect(removed).toEqual(lowest.removed)
    }
  })

  it('chooses by repaired perplexity too, and by a search of repaired cuts', async () => {
    const options = { ...OPTIONS, datasetSize: 8, sizes: [2] }
    const { candidates } = await sweepCuts({ ...options, strategies: ['verified', 'repaired'], repair: true })
    expect(candidates.flatMap(({ strategies }) => strategies).sort()).toEqual(['repaired', 'verified'])
    for (const { repaired } of candidates) expect(repaired!.perplexity).toBeGreaterThan(1)
  })

  it('takes of every size the cuts that the strategies choose, each once', async () => {
    const { distances } = await measureSimilarity({ ...RUN, layersToSkip: 1 })
    expect(sweep.sizes).toEqual([1, 3, 5])
    for (const size of sweep.sizes) {
      const own = sweep.candidates.filter(({ layersToSkip }) => layersToSkip === size)
      expect(own.flatMap(({ strategies }) => strategies).sort()).toEqual(['angular', 'block-influence', 'deepest'])
      expect(new Set(own.map(({ removed }) => JSON.stringify(removed))).size).toBe(own.length)
      const nearest = own.find(({ strategies }) => strategies.includes('angular'))!
      const least = Math.min(...distances[size]!)
      expect(nearest.distance).toBeCloseTo(least, 9)
      expect(distances[size]![nearest.removed[0]!.start]).toBe(least)
      const deepest = own.find(({ strategies }) => strategies.includes('deepest'))!
      expect(deepest.removed).toEqual([{ start: 11 - size, end: 11 }])
    }
    expect(notes).toContain('choosing layers by angular, block-influence and deepest on the first 4 texts')
    expect(notes.join('\n')).toMatch(/^measuring \d+ cuts on up to 3 texts after the first 4$/m)
  })

  it('gives what evaluate gives for the same cuts on the texts that follow', async () => {
    const evaluation = await evaluatePerplexity({
      ...RUN,
      datasetSkip: OPTIONS.datasetSize,
      datasetSize: OPTIONS.verifySize,
      candidates: sweep.candidates.map(({ removed }) => removed),
    })
    expect(sweep.whole.perplexity).toBeCloseTo(evaluation.perplexity, 8)
    for (const [index, candidate] of evaluation.candidates.entries()) {
      expect(sweep.candidates[index]).toMatchObject(JSON.parse(JSON.stringify(candidate)))
    }
    expect(sweep.dataset).toEqual(evaluation.dataset)
  })

  it('says how large the weights are that prune writes, and that fewer layers are faster', async () => {
    for (const { removed, bytes, parameters, tokensPerSecond } of sweep.candidates) {
      const { files } = await pruneModel({
        model: OPTIONS.model,
        plan: { strategy: 'explicit', removed },
        output: join(makeTempFolder(), 'pruned'),
        dryRun: true,
      })
      const weights = files.find(({ name }) => name === 'model.safetensors')!.sizeBytes
      // headers of tensors that are not written are gone too
      expect(Math.abs(weights - bytes)).toBeLessThan(8192)
      expect(parameters).toBeLessThan(sweep.whole.parameters)
      expect(tokensPerSecond).toBeGreaterThan(sweep.whole.tokensPerSecond!)
    }
  })

  it('continues where an earlier run of the same flags stopped, without running a batch again', async () => {
    const measured = saved.filter(({ chosen }) => chosen !== undefined)
    expect(measured.map(({ texts }) => Object.keys(texts).length)).toEqual([0, 2, 3])
    const halfway: SweepProgress = JSON.parse(JSON.stringify(measured[1]))
    const again: SweepProgress[] = []
    const resumed = await sweepCuts({
      ...MEASURED,
      resumeFrom: halfway,
      onSaved: async (progress) => void again.push(structuredClone(progress)),
    })
    expect(withoutSpeed(resumed)).toEqual(withoutSpeed(sweep))
    expect(again).toEqual([measured[2]])
    await expect(sweepCuts({ ...MEASURED, maxLength: 23, resumeFrom: halfway })).rejects.toThrow(
      'the run cannot be resumed: `maxLength` was 24 and is 23',
    )
  })

  it('is the same in shards that are merged, and within a limit of memory', async () => {
    const options: SweepOptions = { ...OPTIONS, strategies: ['deepest'], sizes: [1, 3, 4], verifySize: 2 }
    const measure = async (index: number) => ({
      file: `${index}.json`,
      sweep: await sweepCuts({ ...options, shard: { index, count: 2 } }),
    })
    const [two, one] = [await measure(2), await measure(1)]
    expect(one.sweep.candidates).toHaveLength(2)
    const merged = withoutSpeed(mergeSweeps([two, one]))
    expect(merged).toEqual(withoutSpeed(await sweepCuts(options)))
    expect(merged).toEqual(withoutSpeed(await sweepCuts({ ...options, maxMemory: 4e9 })))
    expect(() => mergeSweeps([one])).toThrow('1 shard of 2 is missing: 2')
    expect(() => mergeSweeps([two, two])).toThrow('are both shard 2 of 2')
    const other = { file: 'other.json', sweep: { ...one.sweep, sizes: [1] } }
    expect(() => mergeSweeps([two, other])).toThrow('belong to different sweeps: their sizes differ')
  })

  it('measures cuts that lose too much on the first texts alone, and all of them in full if asked to', async () => {
    const options: SweepOptions = { ...OPTIONS, sizes: [1, 11], verifySize: 8 }
    const [stopped, full] = [await sweepCuts(options), await sweepCuts({ ...options, full: true })]
    expect(stopped.candidates.map(({ texts }) => texts)).toEqual([8, 4])
    expect(full.candidates.map(({ texts }) => texts)).toEqual([8, 8])
    expect(stopped.whole.perplexity).toBeCloseTo(full.whole.perplexity, 6)
    expect(stopped.candidates[0]!.perplexity).toBeCloseTo(full.candidates[0]!.perplexity!, 5)
    const probe = await sweepCuts({ ...options, verifySize: 4, full: true })
    const ratio = probe.candidates[1]!.perplexity! / probe.whole.perplexity
    expect(ratio).toBeGreaterThan(4)
    expect(stopped.candidates[1]!.perplexity! / stopped.whole.perplexity / ratio).toBeCloseTo(1, 5)
    expect(full.candidates[1]!.perplexity! / full.whole.perplexity).toBeGreaterThan(4)
  })

  it('measures cuts repaired too, and searches greedily for all sizes at once', async () => {
    const { candidates, recommended, whole } = await sweepCuts({
      ...OPTIONS,
      datasetSize: 2,
      verifySize: 1,
      strategies: ['greedy-perplexity'],
      sizes: [1, 2],
      repair: true,
      maxPerplexityRatio: 1e6,
    })
    expect(candidates.map(({ layersToSkip }) => layersToSkip)).toEqual([1, 2])
    const [one, two] = candidates.map(({ removed }) => removed.flatMap(({ start, end }) => range(start, end)))
    expect(two).toEqual(expect.arrayContaining(one!))
    expect(candidates.every(({ repaired }) => repaired !== undefined)).toBe(true)
    expect(recommended).toMatchObject({ layersToSkip: 2 })
    expect(whole.perplexity).toBeGreaterThan(1)
  })

  it('refuses a limit of memory that is too small before it chooses layers', async () => {
    const notes: string[] = []
    const sweeping = sweepCuts({ ...MEASURED, maxMemory: 5e7, onNote: (note) => notes.push(note) })
    await expect(sweeping).rejects.toThrow(
      /^50\.0 MB of memory is too little: this model takes at least \d+MB for texts of 24 tokens$/,
    )
    expect(notes).toEqual([])
  })

  it('stops when its signal is aborted', async () => {
    const signal = AbortSignal.abort()
    await expect(sweepCuts({ ...MEASURED, signal })).rejects.toThrow(InterruptedError)
  })

  it.each([
    [{ sizes: [12] }, 'sizes must be 1 to 11, for a model of 12 layers, found 12'],
    [{ strategies: ['nearest' as 'angular'] }, 'a sweep takes the strategies verified, angular, block-influence'],
    [{ strategies: ['task'] }, 'the strategy task needs a task'],
    [{ maxPerplexityRatio: 1 }, 'the perplexity ratio must be above 1, found 1'],
    [{ shard: { index: 1, count: 2 }, maxSize: 1e6 }, 'a shard measures only some of the cuts'],
    [{ maxMemory: 1e9, tasks: ['piqa'] }, 'tasks run with the whole model loaded'],
    [{ maxMemory: 1e9, samples: 1 }, 'each token of a sample needs the whole model'],
  ])('refuses %o', async (options, message) => {
    await expect(sweepCuts({ ...OPTIONS, ...options } as SweepOptions)).rejects.toThrow(message)
  })
})

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, index) => start + index)
}
