import { expect, it } from 'vitest'
import { judgeSamples, readSecondsLeft, Screen } from './watched-screen.js'

it('a screen shows what a bar leaves of its line', () => {
  const screen = new Screen()
  screen.write('note\n\u001b7\u001b[1Gabc 1\u001b[0K')
  screen.write('\u001b[1Gab\u001b[0K')
  expect(screen).toMatchObject({ line: 'ab', lines: 1 })
  screen.write('\u001b8\u001b[1G\u001b[2K')
  expect(screen.line).toBe('')
})

it.each([
  ['░ perplexity: 1 of 9 texts (11%), 23 s left', 23],
  ['perplexity: 4 min 31 s left', 271],
  ['repair: layer 21, at most 2 h 5 min left, 1:00 elapsed', 7500],
  ['reading texts: 0:03 elapsed', null],
])('%j has %j seconds left', (line, seconds) => expect(readSecondsLeft(line)).toBe(seconds))

it('judges silence, time in which only clocks move, and rises of the time left within a phase', () => {
  const lines = [
    '',
    'a: 1 s elapsed',
    'a: 2 s elapsed',
    'a: 2 s elapsed',
    'b: 1, 40 s left',
    'b: 2, 50 s left',
    'c: 90 s left',
  ]
  const judged = judgeSamples(lines.map((line, index) => ({ seconds: index, line, lines: 0 })))
  expect(judged).toMatchObject({
    seconds: 6,
    silentSeconds: 1,
    idleSeconds: 2,
    rise: 0.25,
    phases: ['a', 'b', 'c'],
  })
  expect(judged.riseAt).toEqual({ seconds: 5, before: 40, left: 50 })
})
