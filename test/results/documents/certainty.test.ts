import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createRandom } from '../../../src/base/random.js'
import { anytimeTail } from '../../../src/base/statistics/sequential.js'
import { upperTail } from '../../../src/base/statistics/student-t.js'
import { TextStatistics } from '../../../src/base/statistics/text-statistics.js'
import { measureSimilarity } from '../../../src/index.js'
import { assessBest, summarizeCertainty } from '../../../src/results/documents/certainty.js'
import { findCertainty } from '../../../src/results/documents/result-views.js'
import { EXAMPLES } from '../../support/paths.js'

describe('assessBest', () => {
  const blocks = [0, 1, 2].map((start) => ({ start, end: start + 4 }))
  const best = blocks[1]!
  const assess = (
    differences: Record<number, [difference: number, standardError: number | null]>,
    { texts = 30, test = 'fixed' as 'fixed' | 'sequential', level = 0.95 } = {},
  ) =>
    assessBest(
      blocks,
      best,
      ({ start }) => ({ difference: differences[start]![0], standardError: differences[start]![1] }),
      { texts, test, level },
    )

  it('multiplies the tail of each comparison by the number of blocks, and the worst one decides', () => {
    const certainty = assess({ 0: [0.04, 0.01], 2: [0.03, 0.012] })
    expect(certainty.runnerUp).toMatchObject({ start: 2, end: 6, difference: 0.03, standardError: 0.012 })
    expect(certainty.runnerUp!.p).toBeCloseTo(3 * upperTail(2.5, 29), 14)
    expect(certainty.confidence).toBeCloseTo(1 - 3 * upperTail(2.5, 29), 14)
    expect(certainty).toMatchObject({ texts: 30, test: 'fixed', level: 0.95, indistinguishable: [] })
  })

  it('is decided by the noisiest rival, even if it is not the second best', () => {
    const certainty = assess({ 0: [0.05, 0.04], 2: [0.03, 0.002] })
    expect(certainty.runnerUp!.start).toBe(2)
    expect(certainty.indistinguishable.map(({ start }) => start)).toEqual([0])
    expect(certainty.confidence).toBeCloseTo(1 - 3 * upperTail(1.25, 29), 14)
  })

  it('knows nothing of equal blocks, of a single text, and of texts that are copies', () => {
    for (const nothing of [[0, 0.01] as const, [0.2, null] as const, [0.2, 0] as const]) {
      const certainty = assess({ 0: [nothing[0], nothing[1]], 2: [0.5, 0.01] })
      expect(certainty.confidence).toBe(0)
      expect(certainty.indistinguishable).toMatchObject([{ start: 0, p: 1 }])
    }
  })

  it('asks more of a run that looks at its numbers', () => {
    const fixed = assess({ 0: [0.04, 0.01], 2: [0.04, 0.01] })
    const sequential = assess({ 0: [0.04, 0.01], 2: [0.04, 0.01] }, { test: 'sequential' })
    expect(sequential.confidence).toBeLessThan(fixed.confidence)
    expect(sequential.runnerUp!.p).toBeCloseTo(3 * anytimeTail(4, 30), 14)
  })

  it('has no rival if there is one block', () => {
    const certainty = assessBest([best], best, () => ({ difference: 0, standardError: 0 }), {
      texts: 9,
      test: 'fixed',
      level: 0.95,
    })
    expect(certainty).toMatchObject({ confidence: 1, runnerUp: null, indistinguishable: [] })
  })
})

describe('anytimeTail', () => {
  it('is never below the tail of a single look, and 1 without a lead', () => {
    for (const texts of [2, 16, 64, 1000]) {
      expect(anytimeTail(0, texts)).toBe(1)
      expect(anytimeTail(-3, texts)).toBe(1)
      for (const t of [0.5, 2, 4, 8]) expect(anytimeTail(t, texts)).toBeGreaterThanOrEqual(upperTail(t, texts - 1))
    }
  })

  it('inverts the likelihood ratio of a mixture over the effect', () => {
    // E over d ~ N(0, 0.5^2) of the density of noncentral t against t, by quadrature of its integral form
    const [t, texts] = [3.5, 20]
    const degrees = texts - 1
    const steps = 4000
    let [ratio, none] = [0, 0]
    for (let i = 0; i < steps; i++) {
      const scale = ((i + 0.5) / steps) * 4
      const weight = scale ** degrees * Math.exp((-degrees * scale * scale) / 2)
      const growth = 1 + texts / 4
      none += weight * Math.exp(-((t * scale) ** 2) / 2)
      ratio += (weight * Math.exp(-((t * scale) ** 2) / (2 * growth))) / Math.sqrt(growth)
    }
    expect(anytimeTail(t, texts)).toBeCloseTo(1 / ((2 * ratio) / none - 1), 8)
  })

  it('holds at all looks together for normal differences', () => {
    const random = createRandom(11)
    const uniform = () => (random.below(2 ** 40) + 0.5) / 2 ** 40
    const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())
    const runs = 4000
    let ever = 0
    for (let run = 0; run < runs; run++) {
      const statistics = new TextStatistics(1, [{ from: 0, size: 1 }])
      for (let texts = 1; texts <= 200; texts++) {
        statistics.addText(Float64Array.of(normal()), 1)
        if (texts < 2) continue
        if (anytimeTail(statistics.mean(0) / statistics.standardError(0)!, texts) <= 0.05) {
          ever++
          break
        }
      }
    }
    expect(ever / runs).toBeLessThan(0.05)
    expect(ever / runs).toBeGreaterThan(0.005)
  })
})

describe('the certainty of every size', () => {
  const model = join(EXAMPLES, 'model')
  const dataset = join(EXAMPLES, 'texts.jsonl')
  const measure = (layersToSkip: number) => measureSimilarity({ model, dataset, datasetSize: 24, layersToSkip })

  it('is what a run for that size finds', async () => {
    const result = await measure(4)
    expect(Object.keys(result.certaintyBySize!)).toEqual(Array.from({ length: 11 }, (_, index) => `${index + 1}`))
    for (const n of [1, 4, 7]) {
      const { certainty } = await measure(n)
      expect(result.certaintyBySize![n]).toEqual(summarizeCertainty(certainty!))
      expect(findCertainty(result, n)).toEqual(summarizeCertainty(certainty!))
    }
  })

  it('is not known of one text', async () => {
    const { certainty, certaintyBySize } = await measureSimilarity({
      model,
      dataset,
      datasetSize: 1,
      layersToSkip: 4,
    })
    expect({ certainty, certaintyBySize }).toEqual({ certainty: null, certaintyBySize: null })
  })
})
