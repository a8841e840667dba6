import { execFile, execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { exportModel } from '../../src/jobs/export/export-model.js'
import { GGUF } from '../support/gguf-fixtures.js'
import { makeNamedModel } from '../support/named-model.js'
import { FIXTURES } from '../support/paths.js'
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

  it('calls models as we do, by their cards, configs and names', async () => {
    const script = join(import.meta.dirname, 'convert_to_gguf.py')
    const models = [makeNamedModel(), makeNamedModel({ name: '/home/someone/here', card: '' })]
    const names: { id: string; parameters: number; parts: object }[] = JSON.parse(
      readFileSync(join(FIXTURES, 'model-names.json'), 'utf8'),
    )
    const input = JSON.stringify(names.map(({ id, parameters }) => [id, parameters]))
    const printed = execFileSync(python, [script, ...models], { input, encoding: 'utf8', stdio: 'pipe' })
    const split: object[] = JSON.parse(printed.trim().split('\n').at(-1)!)
    const withoutNulls = split.map((parts) =>
      Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== null)),
    )
    expect(withoutNulls).toEqual(names.map(({ parts }) => parts))
    for (const model of models) {
      const output = join(makeTempFolder(), 'exported')
      await exportModel({ model, output, to: 'gguf', dtype: ['F32'], check: false })
      const own = await readGgufContent(join(output, 'exported-F32.gguf'))
      expect(own).toEqual(await readGgufContent(`${model}.gguf`))
    }
  })
})
