import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { DataType, makeValueInfo, parseModel, serializeModel } from '../../src/graph/onnx.js'
import { readOnnxDecoder } from '../../src/graph/onnx-file.js'
import { FIXTURES } from '../support/paths.js'
import { makeTempFolder } from '../support/temp-folder.js'

it('a graph for paged attention is refused', async () => {
  const folder = makeTempFolder()
  cpSync(join(FIXTURES, 'onnx/genai-llama'), folder, { recursive: true })
  const file = join(folder, 'model.onnx')
  const model = parseModel(readFileSync(file))
  const { input } = model.graph!
  input[input.findIndex(({ name }) => name === 'input_ids')] = makeValueInfo('input_ids', DataType.INT64, [
    'num_tokens',
  ])
  writeFileSync(file, serializeModel(model))
  await expect(readOnnxDecoder(file, 3)).rejects.toThrow(
    'model.onnx takes the tokens of all texts in one row, as with paged attention, expected input_ids[batch, tokens]',
  )
})
