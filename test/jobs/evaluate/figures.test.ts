import { describe, expect, it } from 'vitest'
import { countScoredBytes } from '../../../src/jobs/evaluate/scored-bytes.js'
import { Tally } from '../../../src/jobs/evaluate/tally.js'
import { loadTokenizer } from '../../../src/texts/tokens/tokenizer.js'
import { FIXTURES } from '../../support/paths.js'

describe('Tally', () => {
  it('gives perplexity, its error and bits per byte by their definitions', () => {
    const tally = new Tally(2)
    const texts = [
      { nats: [6, 9], tokens: 3, bytes: 10 },
      { nats: [2, 1], tokens: 2, bytes: 7 },
      { nats: [8, 14], tokens: 5, bytes: 21 },
    ]
    for (const { nats, tokens, bytes } of texts) tally.addText(Float64Array.from(nats), tokens, bytes)
    const mean = 16 / 10
    const residuals = texts.map(({ nats, tokens }) => nats[0]! - mean * tokens)
    const error = Math.sqrt((residuals.reduce((sum, value) => sum + value ** 2, 0) * 3) / 2) / 10
    const { perplexity, standardError, bitsPerByte } = tally.figures(0)
    expect(perplexity).toBeCloseTo(Math.exp(mean), 12)
    expect(standardError).toBeCloseTo(Math.exp(mean) * error, 12)
    expect(bitsPerByte).toBeCloseTo(16 / Math.LN2 / 38, 12)
    expect(tally.compare(1, [{ start: 0, end: 1 }])).toMatchObject({
      removed: [{ start: 0, end: 1 }],
      excess: { difference: 0.8 },
    })
  })

  it('has no perplexity for a candidate that was not finite for one text', () => {
    const tally = new Tally(2)
    tally.addText(Float64Array.from([6, Number.NaN]), 3, 10)
    tally.addText(Float64Array.from([2, 1]), 2, 7)
    expect(tally.compare(1, [])).toEqual({ removed: [], perplexity: null })
    expect(tally.figures(0).perplexity).toBeCloseTo(Math.exp(8 / 5), 12)
  })

  it('has no perplexity for a candidate whose perplexity is too large for a number', () => {
    const tally = new Tally(2)
    tally.addText(Float64Array.from([6, 3000]), 3, 10)
    expect(tally.compare(1, [])).toEqual({ removed: [], perplexity: null })
    expect(tally.hasFailed(0)).toBe(false)
  })
})

describe('countScoredBytes', () => {
  it.each(['llama', 'qwen2'])('counts the bytes that the scored tokens of %s stand for', async (name) => {
    const { encode, decode } = await loadTokenizer(`${FIXTURES}/onnx/${name}`)
    const text = 'Ämter: the mill, the river — 7 boats.'
    const whole = await encode(text, 1000)
    const first = name === 'llama' ? '' : await decode(whole.slice(0, 1))
    expect(await countScoredBytes({ ids: whole, sizeBytes: Buffer.byteLength(text), origin: '' }, decode, 1000)).toBe(
      Buffer.byteLength(text) - Buffer.byteLength(first),
    )
    const ids = await encode(text, 12)
    expect(await countScoredBytes({ ids, sizeBytes: Buffer.byteLength(text), origin: '' }, decode, 12)).toBe(
      Buffer.byteLength(await decode(ids)) - Buffer.byteLength(first),
    )
  })
})
