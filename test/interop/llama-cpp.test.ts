import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { openModel } from '../../src/engine/model.js'
import { openGguf } from '../../src/files/gguf/gguf-file.js'
import { cutOf, GGUF, GGUF_NAMES, pruneGguf } from '../support/gguf-fixtures.js'
import { largestDifference } from '../support/largest-difference.js'
import { runDecoder, TEXTS } from '../support/run-decoder.js'
import { describeWithLlamaCpp, llamaCppPython } from './needs.js'

const run = promisify(execFile)
const [IDS] = TEXTS
/** llama.cpp rounds what it multiplies by a matrix to the type of the matrix. */
const CLOSE = { F32: 1e-5, F16: 5e-3, BF16: 5e-2 }
/** Fixtures with biases, sizes, words or ties that no published model has, and that llama.cpp does not load. */
const NOT_LOADED = /^(arcee|cohere|ernie4-5|nemotron|olmo3|olmoe|phi|phi3|phi3-longrope|qwen2-moe|seed-oss)\.gguf$/
/** Which experts are chosen is decided by what the rounding changes; llama.cpp knows Exaone 4's windows by 64 layers. */
const NOT_CLOSE = /^(exaone4|gpt-oss|mixtral)\.gguf$/

describeWithLlamaCpp('llama.cpp', () => {
  it.each(GGUF_NAMES.filter((name) => !NOT_LOADED.test(name)))(
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
      expect(logits).toHaveLength(2)
      if (NOT_CLOSE.test(name)) return
      const { tensors } = await openGguf(files[0]!)
      const types = new Set([...tensors.values()].map(({ type }) => type.name))
      const coarsest = types.has('BF16') ? 'BF16' : types.has('F16') ? 'F16' : 'F32'
      for (const [index, model] of files.entries()) {
        const { decoder, config } = await openModel({ model })
        const found = await runDecoder(decoder, config, [IDS!])
        const expected = logits[index]!.flat()
        const largest = expected.reduce((most, logit) => Math.max(most, Math.abs(logit)), 0)
        expect(largestDifference(found, expected) / largest).toBeLessThan(CLOSE[coarsest])
      }
    },
  )
})
