import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { measureSimilarity } from '../../../src/index.js'
import { parseModel, serializeModel } from '../../../src/model/graph/onnx/onnx.js'
import { LLAMA, TEXTS } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'

it('NaN in a weight is refused though the graph replaces NaN in attention by 0', async () => {
  const folder = makeTempFolder()
  cpSync(LLAMA, folder, { recursive: true })
  const path = join(folder, 'onnx/model.onnx')
  const model = parseModel(readFileSync(path))
  const { node, initializer } = model.graph!
  expect(node.filter(({ opType }) => opType === 'IsNaN')).toHaveLength(3)
  const keys = node.find(({ name }) => /layers\.1.*k_proj\/MatMul/.test(name))!.input[1]
  const weight = initializer.find(({ name }) => name === keys)!
  const values = new Float32Array(Uint8Array.from(weight.rawData).buffer)
  values[5] = Number.NaN
  weight.rawData = new Uint8Array(values.buffer)
  writeFileSync(path, serializeModel(model))
  await expect(measureSimilarity({ model: folder, dataset: TEXTS, layersToSkip: 1 })).rejects.toThrow(
    `tensor ${keys} at [0, 5]: expected a finite number, found NaN`,
  )
})
