import { Worker } from 'node:worker_threads'
import { expect, it, onTestFinished, vi } from 'vitest'
import type { PlannedMatrix } from '../../../src/engine/int8/make-matrix.js'

/** The maker of matrices, with threads that run another program. */
async function withThreads(program: string): Promise<typeof import('../../../src/engine/int8/make-matrices.js')> {
  vi.resetModules()
  vi.doMock('../../../src/base/start-thread.js', () => ({
    startThread: () => new Worker(program, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 16 } }),
  }))
  onTestFinished(() => {
    vi.doUnmock('../../../src/base/start-thread.js')
    vi.resetModules()
  })
  return import('../../../src/engine/int8/make-matrices.js')
}

const SIZE = 1024

it.each([
  ['ends', 'require("node:worker_threads").parentPort.on("message", () => process.exit(3))'],
  [
    'has no memory left',
    'require("node:worker_threads").parentPort.on("message", () => { const all = []; for (;;) all.push([...Array(1e4).keys()]) })',
  ],
])('a thread that %s ends the run in one line', async (_, code) => {
  const { makeMatrices } = await withThreads(code)
  const plan: PlannedMatrix = {
    name: 'matrix',
    numbers: { expression: { kind: 'stored', shape: [SIZE, SIZE], part: undefined as never } },
    inputs: SIZE,
    outputs: SIZE,
    byOutput: true,
    part: null,
    smoothing: null,
    block: 16,
    outputBlock: 32,
    keepsResiduals: false,
  }
  const made = makeMatrices([plan, { ...plan, name: 'other' }])
  await expect(made.next()).rejects.toMatchObject({
    name: 'LayerpruneError',
    message: 'a thread that makes int8 weights has ended: the system may have had no memory left',
    hint: 'free some memory, or omit `dtype: q8`',
  })
})
