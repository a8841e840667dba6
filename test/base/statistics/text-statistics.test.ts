import { describe, expect, it } from 'vitest'
import { TextStatistics } from '../../../src/base/statistics/text-statistics.js'

/** Deterministic numbers in [0, 1). */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (state * 1103515245 + 12345) % 2 ** 31
    yield state / 2 ** 31
  }
}

describe('TextStatistics', () => {
  it('gives the usual mean and standard error for one value a text', () => {
    const means = new TextStatistics(1, [{ from: 0, size: 1 }])
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
      return Array.from({ length: 1 + Math.floor(random.next().value * 30) }, () => level + 0.1 * random.next().value)
    })
    const means = new TextStatistics(1, [{ from: 0, size: 1 }])
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
    const means = new TextStatistics(2, [{ from: 0, size: 2 }])
    means.addText(Float64Array.of(1, 2), 4)
    expect([means.mean(0), means.mean(1)]).toEqual([0.25, 0.5])
    expect(means.standardError(0)).toBeNull()
  })
  const differences = (texts: { sums: number[]; count: number }[]) => {
    const statistics = new TextStatistics(3, [{ from: 1, size: 2 }])
    for (const { sums, count } of texts) statistics.addText(Float64Array.from(sums), count)
    return statistics
  }

  it('compares two quantities text by text', () => {
    const values = [
      [0, 0.5, 0.41],
      [0, 0.7, 0.62],
      [0, 0.2, 0.13],
    ]
    const statistics = differences(values.map((sums) => ({ sums, count: 1 })))
    const paired = values.map(([, a, b]) => b! - a!)
    const mean = paired.reduce((a, b) => a + b) / 3
    const variance = paired.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 2
    const { difference, standardError } = statistics.difference(2, 1)
    expect(difference).toBeCloseTo(mean, 15)
    expect(standardError).toBeCloseTo(Math.sqrt(variance / 3), 15)
    expect(statistics.difference(1, 2)).toEqual({ difference: -difference, standardError })
  })

  it('compares within each of several runs, and not across them', () => {
    const runs = [
      { from: 0, size: 3 },
      { from: 3, size: 2 },
    ]
    const several = new TextStatistics(5, runs)
    const [first, second] = [new TextStatistics(3, [runs[0]!]), new TextStatistics(2, [{ from: 0, size: 2 }])]
    for (const sums of [
      [0, 0.5, 0.41, 0.3, 0.1],
      [0.1, 0.7, 0.62, 0.2, 0.4],
      [0.3, 0.2, 0.13, 0.9, 0.5],
    ]) {
      several.addText(Float64Array.from(sums), 1)
      first.addText(Float64Array.from(sums.slice(0, 3)), 1)
      second.addText(Float64Array.from(sums.slice(3)), 1)
    }
    expect(several.difference(2, 0)).toEqual(first.difference(2, 0))
    expect(several.difference(1, 2)).toEqual(first.difference(1, 2))
    expect(several.difference(3, 4)).toEqual(second.difference(0, 1))
    expect(() => several.difference(2, 3)).toThrow('quantities 2 and 3 are not compared')
  })

  it('compares ratios if texts have several values', () => {
    const random = numbers(3)
    const texts = Array.from({ length: 40 }, () => {
      const count = 1 + Math.floor(random.next().value * 20)
      const level = random.next().value
      return { sums: [0, count * level, count * (level + 0.01 * random.next().value)], count }
    })
    const count = texts.reduce((sum, text) => sum + text.count, 0)
    const mean = texts.reduce((sum, { sums }) => sum + sums[2]! - sums[1]!, 0) / count
    const squares = texts.reduce((sum, { sums, count }) => sum + (sums[2]! - sums[1]! - mean * count) ** 2, 0)
    const { difference, standardError } = differences(texts).difference(2, 1)
    expect(difference).toBeCloseTo(mean, 15)
    expect(standardError).toBeCloseTo(Math.sqrt((squares * 40) / 39) / count, 14)
  })

  it('keeps the spread of a difference far below the digits of its quantities', () => {
    const random = numbers(5)
    const texts = Array.from({ length: 1000 }, () => {
      const shared = 0.5 + random.next().value
      return { sums: [0, shared, shared + 1e-9 + 1e-11 * random.next().value], count: 1 }
    })
    // what float64 holds of each difference
    const paired = texts.map(({ sums }) => sums[2]! - sums[1]!)
    const mean = paired.reduce((a, b) => a + b) / 1000
    const variance = paired.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 999
    const { standardError } = differences(texts).difference(2, 1)
    expect(standardError! / Math.sqrt(variance / 1000)).toBeCloseTo(1, 7)
  })

  it('adds runs in any order to the same numbers, and comes back from JSON as it was', () => {
    const random = numbers(7)
    const texts = Array.from({ length: 300 }, () => ({
      sums: Array.from({ length: 3 }, () => random.next().value),
      count: 1 + Math.floor(random.next().value * 9),
    }))
    const whole = differences(texts)
    const parts = [2, 0, 1].map((part) => differences(texts.filter((_, index) => index % 3 === part)))
    const [merged, ...others] = parts.map((part) =>
      TextStatistics.restore(JSON.parse(JSON.stringify(part.save())), 3, [{ from: 1, size: 2 }]),
    )
    for (const other of others) merged!.add(other)
    expect(merged!.texts).toBe(300)
    for (const quantity of [0, 1, 2]) {
      expect(merged!.mean(quantity)).toBe(whole.mean(quantity))
      expect(merged!.standardError(quantity)).toBe(whole.standardError(quantity))
    }
    expect(merged!.difference(1, 2)).toEqual(whole.difference(1, 2))
    const again = TextStatistics.restore(whole.save(), 3, [{ from: 1, size: 2 }])
    expect(again.save()).toEqual(whole.save())
  })

  it('refuses sums of another number of quantities', () => {
    const saved = differences([{ sums: [1, 2, 3], count: 1 }]).save()
    expect(() => TextStatistics.restore(saved, 4, [{ from: 1, size: 2 }])).toThrow('3 sums, expected 4')
    expect(() => TextStatistics.restore({ ...saved, texts: -1 }, 3, [{ from: 1, size: 2 }])).toThrow(
      'a count is not a positive whole number',
    )
  })
})
