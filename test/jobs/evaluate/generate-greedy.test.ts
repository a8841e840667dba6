import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openModel } from '../../../src/engine/model.js'
import { continueTexts } from '../../../src/jobs/evaluate/continue-texts.js'
import { generateGreedy } from '../../../src/jobs/evaluate/generate-greedy.js'
import { openNextToken } from '../../../src/jobs/evaluate/next-token.js'
import { measurePrefill } from '../../../src/jobs/evaluate/prefill-speed.js'
import type { Block } from '../../../src/model/layers/block.js'
import type { EncodedText } from '../../../src/texts/tokens/windows.js'
import { FIXTURES, ROOT } from '../../support/paths.js'

interface Case {
  model: string
  removed: Block[]
  endTokens: number[]
  beginnings: number[][]
  continuations: number[][]
}
const cases: Case[] = JSON.parse(readFileSync(join(FIXTURES, 'generation.json'), 'utf8'))
const asTexts = (beginnings: number[][]) => beginnings.map((ids) => ({ ids, origin: 'drawn' }))

/** Counts in a circle from a text's last token on, with a break after every seventh token. */
const countOn = (ids: number[]) => (ids.length % 7 === 0 ? 0 : (ids.at(-1)! + 1) % 5)

describe('continueTexts', () => {
  it.each(cases)('says after $model without $removed what PyTorch says', async (reference) => {
    const { removed, endTokens, beginnings, continuations } = reference
    const model = await openModel({ model: join(ROOT, reference.model) })
    const options = { removed, tokens: 12, endTokens: new Set(endTokens), device: 'cpu' } as const
    expect(await continueTexts(model, asTexts(beginnings), options)).toEqual(continuations)
  })
})

describe('generateGreedy', () => {
  it.each(cases)('says after $model without $removed what PyTorch says', async (reference) => {
    const { removed, endTokens, beginnings, continuations } = reference
    const model = await openModel({ model: join(ROOT, reference.model) })
    const runner = await openNextToken(model, removed, { device: 'cpu' })
    const options = { removed, tokens: 12, endTokens: new Set(endTokens) }
    try {
      expect(await generateGreedy(runner, asTexts(beginnings), options)).toEqual(continuations)
    } finally {
      await runner.close()
    }
  })

  it.each([
    { endTokens: [], ofRuns: 1 / 2 },
    { endTokens: [3], ofRuns: 1 },
  ])(
    'guesses what was said before in fewer runs and says the same, ending at $endTokens',
    async ({ endTokens, ofRuns }) => {
      const say = async (maxBatch: number) => {
        let runs = 0
        const predict = async (texts: EncodedText[], _: Block[], counts = texts.map(() => 1)) => {
          runs++
          return texts.map(({ ids }, text) =>
            Array.from({ length: counts[text]! }, (_, place) =>
              countOn(ids.slice(0, ids.length - counts[text]! + place + 1)),
            ),
          )
        }
        const options = { removed: [], tokens: 40, endTokens: new Set<number>(endTokens) }
        const said = await generateGreedy({ predict, maxBatch }, asTexts([[4, 0], [2], [1, 1, 1]]), options)
        return { said, runs }
      }
      const [guessed, plain] = [await say(Infinity), await say(3)]
      expect(guessed.said).toEqual(plain.said)
      expect(guessed.runs).toBeLessThanOrEqual(ofRuns * plain.runs)
    },
  )

  it('fills batches of a fixed size, and stops when every text has ended', async () => {
    const sizes: number[] = []
    const predict = async (texts: EncodedText[]) => {
      sizes.push(texts.length)
      return texts.map(({ ids }) => [ids.length < ids[0]! ? 7 : 1])
    }
    const decided: number[] = []
    const continuations = await generateGreedy({ predict, maxBatch: 2 }, asTexts([[3], [2], [4]]), {
      removed: [],
      tokens: 9,
      endTokens: new Set([1]),
      onTokens: (done) => decided.push(done),
    })
    expect(continuations).toEqual([[7, 7], [7], [7, 7, 7]])
    expect(sizes).toEqual([2, 2, 2, 2, 2, 2])
    expect(decided).toEqual([3, 13, 21, 27])
  })
})

it('the fastest run of each cut is its speed, and none runs before all are loaded', async () => {
  const order: number[] = []
  const predict = async (texts: EncodedText[], removed: Block[]) => {
    order.push(removed.length)
    expect(texts.map(({ ids }) => ids)).toEqual([[0, 1, 2, 0, 1, 2, 0, 1]])
    return [[0]]
  }
  const cuts = [[], [{ start: 1, end: 2 }]]
  const { tokens, tokensPerSecond } = await measurePrefill({ predict, maxBatch: Infinity }, cuts, {
    maxTokens: 8,
    tokenRows: 3,
  })
  expect(tokens).toBe(8)
  expect(tokensPerSecond.every((rate) => rate > 0)).toBe(true)
  expect(order).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1])
})
