import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import {
  DataType,
  makeValueInfo,
  parseModel,
  serializeModel,
  type ValueInfoProto,
} from '../../../../src/model/graph/onnx/onnx.js'
import { readOnnxDecoder } from '../../../../src/model/graph/onnx/onnx-file.js'
import { FIXTURES } from '../../../support/paths.js'
import { makeTempFolder } from '../../../support/temp-folder.js'

/** Reads a llama whose token ids are another input. */
async function readWith(info: ValueInfoProto) {
  const folder = makeTempFolder()
  cpSync(join(FIXTURES, 'onnx/genai-llama'), folder, { recursive: true })
  const file = join(folder, 'model.onnx')
  const model = parseModel(readFileSync(file))
  const { input } = model.graph!
  input[input.findIndex(({ name }) => name === 'input_ids')] = info
  writeFileSync(file, serializeModel(model))
  return await readOnnxDecoder(file, 3)
}

it('a graph for paged attention is refused', async () => {
  await expect(readWith(makeValueInfo('input_ids', DataType.INT64, ['num_tokens']))).rejects.toThrow(
    'model.onnx takes the tokens of all texts in one row, as with paged attention, expected input_ids[batch, tokens]',
  )
})

it('a graph without its embedding is refused', async () => {
  const embeddings = makeValueInfo('inputs_embeds', DataType.FLOAT, ['batch', 'tokens', 32])
  await expect(readWith(embeddings)).rejects.toThrow(
    'model.onnx takes embeddings (inputs_embeds), expected input_ids[batch, tokens]',
  )
})
