import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

it('no reader falls over any of 500 damaged files', async () => {
  const script = fileURLToPath(new URL('run.js', import.meta.url))
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [
    script,
    '--count',
    '500',
    '--seed',
    '1',
  ])
  expect(stderr).toBe('')
  expect(stdout).toContain('ONNX graph')
})
