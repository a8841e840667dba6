import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { measureSimilarity } from '../../../../src/index.js'
import { parseModel, serializeModel } from '../../../../src/model/graph/onnx/onnx.js'
import { FIXTURES, TEXTS } from '../../../support/paths.js'
import { runProgram } from '../../../support/run-program.js'
import { makeTempFolder } from '../../../support/temp-folder.js'

it("reads a model from Python's Hub cache, where files are links into another folder", async () => {
  const source = join(FIXTURES, 'onnx/genai-llama')
  const cache = makeTempFolder()
  const snapshot = join(cache, 'snapshots/0123abcd')
  cpSync(source, snapshot, { recursive: true })
  mkdirSync(join(cache, 'blobs'))
  for (const [index, name] of readdirSync(snapshot).entries()) {
    renameSync(join(snapshot, name), join(cache, 'blobs', `hash${index}`))
    symlinkSync(`../../blobs/hash${index}`, join(snapshot, name))
  }
  const options = { dataset: TEXTS, layersToSkip: 1, maxLength: 32 }
  const linked = await measureSimilarity({ ...options, model: snapshot })
  const { last } = JSON.parse(readFileSync(join(source, 'reference.json'), 'utf8'))
  expect(linked.distances['1']).toHaveLength(last['1'].length)
  for (const [start, distance] of last['1'].entries()) expect(linked.distances['1']![start]).toBeCloseTo(distance, 5)
})

it.each(['../model.onnx.data', 'a/../../model.onnx.data', '/etc/hostname', 'a/../..', ''])(
  'refuses external data outside the folder of the model: %j',
  async (location) => {
    const cwd = makeTempFolder()
    cpSync(join(FIXTURES, 'onnx/genai-llama'), join(cwd, 'm'), { recursive: true })
    cpSync(join(cwd, 'm/model.onnx.data'), join(cwd, 'model.onnx.data'))
    const model = parseModel(readFileSync(join(cwd, 'm/model.onnx')))
    for (const { externalData } of model.graph!.initializer) {
      for (const entry of externalData) if (entry.key === 'location') entry.value = location
    }
    writeFileSync(join(cwd, 'm/model.onnx'), serializeModel(model))
    for (const args of [
      ['similarity', '--dataset', TEXTS, '--layers-to-skip', '1'],
      ['prune', '--drop', '1', '-o', 'pruned'],
    ]) {
      const { exitCode, stdout, stderr } = await runProgram([...args, '--model', 'm'], { cwd })
      expect(stderr).toContain(`lies outside the model's folder: ${JSON.stringify(location)}`)
      expect([exitCode, stdout]).toEqual([1, ''])
    }
    expect(existsSync(join(cwd, 'pruned'))).toBe(false)
  },
)
