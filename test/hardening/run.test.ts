import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

it('no reader falls over any of 100 damaged files', async () => {
  const script = join(import.meta.dirname, 'run.js')
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script, '--count', '100', '--seed', '1'])
  expect(stderr).toBe('')
  const [errors, results, ...others] = [.../│ all +(.*)│/.exec(stdout)![1]!.matchAll(/\d+/g)].map(Number)
  expect(errors! + results!).toBe(100)
  expect(others).toEqual([0, 0, 0, 0, 0])
}, 240_000)
