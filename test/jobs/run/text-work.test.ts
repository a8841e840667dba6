import { expect, it } from 'vitest'
import { TextWork } from '../../../src/jobs/run/text-work.js'

const makeTexts = (...lengths: number[]) =>
  lengths.map((length) => ({ ids: Array.from({ length }, () => 1), origin: '' }))

it('counts tokens of the known texts, and expects others to be as long', () => {
  const work = new TextWork()
  expect(work.shareOf(0, 4)).toBe(0)
  work.addWindow([makeTexts(60, 30), makeTexts(10)])
  expect(work.shareOf(1, 3)).toBeCloseTo(0.6, 10)
  expect(work.shareOf(1.5, 3)).toBeCloseTo(0.75, 10)
  expect(work.shareOf(3, 3)).toBe(1)
  expect(work.shareOf(3, 6)).toBeCloseTo(0.5, 10)
  work.addWindow([makeTexts(200, 100)])
  expect(work.shareOf(4, 5)).toBeCloseTo(300 / 400, 10)
  expect(work.shareOf(4, null)).toBeNull()
})

it('does not count texts that need not run', () => {
  const work = new TextWork()
  const [long, short] = [makeTexts(300, 200), makeTexts(60, 40)]
  work.addWindow([long, short])
  work.skip(long)
  expect(work.shareOf(2, 4)).toBe(0)
  expect(work.shareOf(3, 4)).toBeCloseTo(0.6, 10)
  work.skip(short)
  expect(work.shareOf(4, 4)).toBe(1)
})

it('continues after the texts of an earlier run', () => {
  const work = new TextWork({ texts: 10, tokens: 500 })
  work.addWindow([makeTexts(300, 200)])
  expect(work.shareOf(10, 12)).toBe(0.5)
  expect(work.shareOf(11, 12)).toBeCloseTo(0.8, 10)
})
