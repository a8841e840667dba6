import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { openModel } from '../../src/model.js'
import { cutOf, GGUF, GGUF_NAMES, pruneGguf } from '../support/gguf-fixtures.js'
import { largestDifference } from '../support/largest-difference.js'
import { runDecoder, TEXTS } from '../support/run-decoder.js'
import { describeWithLlamaCpp, llamaCppPython } from './needs.js'

const run = promisify(execFile)
const [IDS] = TEXTS
/** llama.cpp computes some functions from tables of float16. */
const CLOSE = 5e-3

describeWithLlamaCpp('llama.cpp', () => {
  it.each(GGUF_NAMES)(
    'loads %s, whole and pruned, and computes the same logits',
    { timeout: 600_000 },
    async (name) => {
      const files = [join(GGUF, name), await pruneGguf(join(GGUF, name), cutOf(name))]
      const script = join(import.meta.dirname, 'check_llama_cpp.py')
      const { stdout } = await run(llamaCppPython, [script, JSON.stringify(IDS), ...files], {
        maxBuffer: 1e9,
      })
      const logits: number[][][] = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
      for (const [index, model] of files.entries()) {
        const { decoder, config } = await openModel({ model })
        const found = await runDecoder(decoder, config, [IDS!])
        const expected = logits[index]!.flat()
        const largest = expected.reduce((most, logit) => Math.max(most, Math.abs(logit)), 0)
        expect(largestDifference(found, expected) / largest).toBeLessThan(CLOSE)
      }
    },
  )
})
