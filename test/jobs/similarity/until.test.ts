import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createRandom, shuffleInPlace } from '../../../src/base/random.js'
import { MIN_TEXTS } from '../../../src/base/statistics/sequential.js'
import { TextStatistics } from '../../../src/base/statistics/text-statistics.js'
import { measureSimilarity } from '../../../src/index.js'
import { chooseWindowBatches, type SimilaritySettings } from '../../../src/jobs/similarity/options.js'
import { assessBest, type Certainty } from '../../../src/results/documents/certainty.js'
import { FIXTURES, LLAMA, TEXTS } from '../../support/paths.js'

// made by: node bench/until.js --model SmolLM2-135M-Instruct --dataset kjv.jsonl --dataset-size 300 --sizes 8
//          --tokens last --distances test/fixtures/smollm2-distances.json
const fixture = join(FIXTURES, 'smollm2-distances.json')
/** Distance of each block of 8 layers of a real model at the last token, text by text. */
const measured: number[][] = JSON.parse(readFileSync(fixture, 'utf8')).tokens.last.distances[8]

const UNTIL = 0.95
const MAX_TEXTS = 256
const RUNS = 400
const settings: SimilaritySettings = {
  layersToSkip: 8,
  everySize: false,
  metrics: ['angular'],
  tokens: 'last',
  batchSize: 8,
  maxLength: 256,
  until: UNTIL,
}

const means = measured[0]!.map((_, block) => measured.reduce((sum, text) => sum + text[block]!, 0) / 300)
const byMean = [...means.keys()].sort((a, b) => means[a]! - means[b]!)

/** The real texts, each block's distances moved to another mean: their spread and how they go together stay. */
function moveMeans(target: number[]): Float64Array[] {
  return measured.map((text) => Float64Array.from(text, (distance, block) => distance - means[block]! + target[block]!))
}

interface Outcome {
  best: number
  sure: boolean
  certainty: Certainty
}

/** A run with --until over texts drawn one by one. */
function runUntil(draw: () => Float64Array): Outcome {
  const size = means.length
  const statistics = new TextStatistics(size, [{ from: 0, size }])
  const blocks = means.map((_, start) => ({ start, end: start + 8 }))
  for (;;) {
    const window = settings.batchSize * chooseWindowBatches(settings, statistics.texts)
    for (let i = 0; i < window; i++) statistics.addText(draw(), 1)
    const best = blocks.reduce((a, b) => (statistics.mean(b.start) < statistics.mean(a.start) ? b : a))
    const certainty = assessBest(blocks, best, (a, b) => statistics.difference(a.start, b.start), {
      texts: statistics.texts,
      test: 'sequential',
      level: UNTIL,
    })
    const sure = statistics.texts >= MIN_TEXTS && certainty.confidence >= UNTIL
    if (sure || statistics.texts >= MAX_TEXTS) return { best: best.start, sure, certainty }
  }
}

function simulate(target: number[], seed: number): Outcome[] {
  const random = createRandom(seed)
  const texts = moveMeans(target)
  return Array.from({ length: RUNS }, () => runUntil(() => texts[random.below(texts.length)]!))
}

const share = (outcomes: Outcome[], is: (outcome: Outcome) => boolean) => outcomes.filter(is).length / RUNS
const [first, second, third] = byMean as [number, number, number]

describe('--until, on the distances of a real model', () => {
  it('stops at the best block when blocks lie as far apart as they do', () => {
    const outcomes = simulate(means, 1)
    expect(share(outcomes, ({ best, sure }) => sure && best !== first)).toBeLessThan(0.05)
    expect(share(outcomes, ({ sure }) => sure)).toBeGreaterThan(0.98)
  })

  it('is seldom wrong when the second best lies a tenth as far', () => {
    const close = means.with(second, means[first]! + (means[second]! - means[first]!) / 10)
    const outcomes = simulate(close, 2)
    expect(share(outcomes, ({ best, sure }) => sure && best !== first)).toBeLessThan(0.05)
  })

  it.each([
    ['two', [second], 3],
    ['three', [second, third], 4],
    ['all', byMean.slice(1), 5],
  ])('says of %s equal blocks that they cannot be told apart', (_, equals, seed) => {
    const tied = means.map((mean, block) => (equals.includes(block) ? means[first]! : mean))
    const outcomes = simulate(tied, seed)
    expect(share(outcomes, ({ sure }) => sure)).toBeLessThan(0.05)
    for (const { best, sure, certainty } of outcomes.filter((outcome) => !outcome.sure)) {
      expect(sure).toBe(false)
      expect([first, ...equals]).toContain(best)
      expect(certainty.texts).toBeGreaterThanOrEqual(MAX_TEXTS)
      expect(certainty.indistinguishable.length).toBeGreaterThan(0)
    }
  })

  it('finds the block that all texts find, in every shuffle of them', () => {
    const random = createRandom(6)
    for (let shuffle = 0; shuffle < 20; shuffle++) {
      const texts = shuffleInPlace(moveMeans(means), random)
      let next = 0
      const { best, sure } = runUntil(() => texts[next++ % texts.length]!)
      expect([best, sure]).toEqual([first, true])
    }
  })
})

it.each([
  ['says that it measures otherwise than without', undefined, 'tail:32', 1],
  ['says nothing if the tokens are named', 'last', 'last', 0],
] as const)('--until %s', async (_, tokens, expected, count) => {
  const notes: string[] = []
  const options = { model: LLAMA, dataset: TEXTS, layersToSkip: 1, until: 0.9, tokens }
  const result = await measureSimilarity({ ...options, onNote: (note) => notes.push(note) })
  expect(result.tokens).toBe(expected)
  expect(notes.filter((note) => /last 32 tokens.* can choose another block; `tokens: last`/.test(note))).toHaveLength(
    count,
  )
})
