import { cpus } from 'node:os'
import { expect, it } from 'vitest'
import { assertRunCounts } from '../../../src/jobs/run/run-options.js'

it('refuses more threads than processors, which would wait for each other', () => {
  const most = cpus().length
  expect(() => assertRunCounts({ threads: most })).not.toThrow()
  expect(() => assertRunCounts({ threads: most + 1000 })).toThrow(
    expect.objectContaining({
      name: 'UsageError',
      message: expect.stringMatching(`^threads must be 1 to ${most}, .* of this machine, found ${most + 1000}$`),
    }),
  )
})
