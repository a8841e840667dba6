import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { LONG_TESTS } from '../support/long-tests.js'

const EVERY = LONG_TESTS ? '1' : '6'

it('NaN or an infinity in a weight of any family is refused by name, in every dtype', async () => {
  const script = join(import.meta.dirname, 'non-finite.js')
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script, '--weights', '1', '--every', EVERY])
  expect(stderr).toBe('')
  const [, fixtures, opened, taken] = /(\d+) fixtures, (\d+) damaged models, (\d+)/.exec(stdout)!.map(Number)
  expect(fixtures).toBeGreaterThanOrEqual(120 / Number(EVERY))
  expect(opened).toBeGreaterThanOrEqual(fixtures! * 2)
  expect(taken).toBe(0)
})
