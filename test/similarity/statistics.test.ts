import { describe, expect, it } from 'vitest'
import { RunningMeans } from '../../src/similarity/statistics.js'

/** Deterministic numbers in [0, 1). */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (state * 1103515245 + 12345) % 2 ** 31
    yield state / 2 ** 31
  }
}

describe('RunningMeans', () => {
  it('gives the usual mean and standard error for one value a text', () => {
    const means = new RunningMeans(1)
    const values = [0.2, 0.5, 0.1, 0.4]
    for (const value of values) means.addText(Float64Array.of(value), 1)
    const variance = values.reduce((sum, value) => sum + (value - 0.3) ** 2, 0) / 3
    expect(means.mean(0)).toBeCloseTo(0.3, 14)
    expect(means.standardError(0)).toBeCloseTo(Math.sqrt(variance / 4), 14)
  })

  it('counts every token once and takes the error over texts', () => {
    const random = numbers(1)
    const texts = Array.from({ length: 50 }, () => {
      const level = random.next().value
      return Array.from(
        { length: 1 + Math.floor(random.next().value * 30) },
        () => level + 0.1 * random.next().value,
      )
    })
    const means = new RunningMeans(1)
    for (const text of texts) means.addText(Float64Array.of(text.reduce((a, b) => a + b)), text.length)
    const all = texts.flat()
    const mean = all.reduce((a, b) => a + b) / all.length
    const residuals = texts.map((text) => text.reduce((sum, value) => sum + value - mean, 0))
    const expected = Math.sqrt((residuals.reduce((sum, r) => sum + r * r, 0) * 50) / 49) / all.length
    expect(means.count).toBe(all.length)
    expect(means.mean(0)).toBeCloseTo(mean, 13)
    expect(means.standardError(0)).toBeCloseTo(expected, 12)
    // tokens of a text go together here, so an error over tokens would be far too small
    const overTokens = Math.sqrt(all.reduce((sum, value) => sum + (value - mean) ** 2, 0)) / all.length
    expect(means.standardError(0)!).toBeGreaterThan(2 * overTokens)
  })

  it('knows no error of a single text', () => {
    const means = new RunningMeans(2)
    means.addText(Float64Array.of(1, 2), 4)
    expect([means.mean(0), means.mean(1)]).toEqual([0.25, 0.5])
    expect(means.standardError(0)).toBeNull()
  })
})
