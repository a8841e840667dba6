import { describe, expect, it } from 'vitest'
import { readAhead } from '../../../src/texts/tokens/read-ahead.js'

async function* countUp(made: number[], { failAt = Number.POSITIVE_INFINITY, upTo = 4 } = {}) {
  for (let number = 0; number < upTo; number++) {
    if (number === failAt) throw new Error(`no ${number}`)
    made.push(number)
    yield number
  }
}

describe('readAhead', () => {
  it('yields all in order, and makes the next while one is worked on', async () => {
    const made: number[] = []
    const seen: number[][] = []
    for await (const number of readAhead(countUp(made), new AbortController())) {
      await new Promise(setImmediate)
      seen.push([number, made.length])
    }
    expect(seen).toEqual([
      [0, 2],
      [1, 3],
      [2, 4],
      [3, 4],
    ])
  })

  it('throws what failed ahead only once it is asked for', async () => {
    const seen: number[] = []
    const read = async () => {
      for await (const number of readAhead(countUp([], { failAt: 2 }), new AbortController())) {
        await new Promise(setImmediate)
        seen.push(number)
      }
    }
    await expect(read()).rejects.toThrow('no 2')
    expect(seen).toEqual([0, 1])
  })

  it('ends what is made ahead when no more is asked for', async () => {
    const ending = new AbortController()
    async function* endless() {
      yield 1
      await new Promise((_, reject) => ending.signal.addEventListener('abort', () => reject(new Error('ended'))))
    }
    for await (const number of readAhead<unknown>(endless(), ending)) {
      expect(number).toBe(1)
      break
    }
    expect(ending.signal.aborted).toBe(true)
  })
})
