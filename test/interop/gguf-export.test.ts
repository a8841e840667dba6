import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { GGUF } from '../support/gguf-fixtures.js'
import { readGgufContent } from '../support/read-gguf-content.js'
import { makeTempFolder } from '../support/temp-folder.js'
import { writeGguf } from '../support/write-gguf.js'
import { describeWithConverter, python } from './needs.js'

const run = promisify(execFile)
/** llama.cpp's converter counts layers for predicting several tokens, and states four times the width for Phi 2. */
const DIFFERENT = /^(glm4moe\.(block_count|nextn_predict_layers)|phi2\.feed_forward_length)$/

describeWithConverter('llama.cpp’s converter', () => {
  it('gives the metadata and numbers that we write for the same checkpoints', { timeout: 600_000 }, async () => {
    const folder = makeTempFolder()
    const { stdout } = await run(python, [join(import.meta.dirname, 'make_gguf_checkpoints.py'), folder])
    const names: string[] = JSON.parse(stdout.trim().split('\n').at(-1)!)
    expect(names.length).toBeGreaterThan(15)
    for (const name of names) {
      const own = await readGgufContent(await writeGguf(join(folder, name), undefined, name))
      const { metadata, tensors } = await readGgufContent(join(GGUF, `${name}.gguf`))
      expect(own.tensors, name).toEqual(tensors)
      for (const key of Object.keys(metadata).filter((key) => !DIFFERENT.test(key))) {
        expect(own.metadata[key], `${name} ${key}`).toEqual(metadata[key])
      }
    }
  })
})
