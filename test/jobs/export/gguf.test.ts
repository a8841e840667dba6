import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openModel } from '../../../src/engine/model.js'
import { readExpression } from '../../../src/engine/sessions/read-floats.js'
import { openGguf } from '../../../src/files/gguf/gguf-file.js'
import type { GgufTensor } from '../../../src/files/gguf/header.js'
import { readTensor } from '../../../src/files/weights/read-tensor.js'
import { fixtureFolder, listFixtures, measureTexts, readReference } from '../../support/fixture-model.js'
import { GGUF, GGUF_NAMES } from '../../support/gguf-fixtures.js'
import { sample } from '../../support/long-tests.js'
import { FIXTURES } from '../../support/paths.js'
import { readGgufContent } from '../../support/read-gguf-content.js'
import { writeGguf } from '../../support/write-gguf.js'

/** Fixtures that llama.cpp has no architecture for, or that compute what it does not. */
const REFUSED: Record<string, RegExp> = {
  bloom: /^models of the family bloom cannot be written as GGUF$/,
  'gpt-neox-sequential': /architecture gptneox cannot say .*: projections of layer 0 would be another/,
  'llama-dynamic': /llama\.cpp has no rope whose base grows with the text/,
  'phi-norm': /has no name for tensor "model\.layers\.0\.self_attn\.k_layernorm\.bias"/,
  'qwen3-window': /architecture qwen3 cannot say what this model computes: window of layer 0 would be another/,
}
/** Written by the family's own architecture; the fixtures of the converter are of classes that stand in for it. */
const OTHER_CLASS = ['exaone', 'minicpm']
/** Keys that say nothing of what is computed, or that count layers for predicting several tokens, which are omitted. */
const NOT_READ =
  /^(tokenizer\.ggml\.padding_token_id|phi2\.feed_forward_length|glm4moe\.(block_count|nextn_predict_layers))$/

const PACKED = readdirSync(join(FIXTURES, 'packed'))

/** Fixtures whose checkpoint the converter has read as it is. */
const CONVERTED = listFixtures().filter(
  (name) =>
    existsSync(join(GGUF, `${name}.gguf`)) && !existsSync(join(GGUF, `${name}.json`)) && !OTHER_CLASS.includes(name),
)

describe('a GGUF file of a checkpoint', () => {
  it.each(CONVERTED)('%s has the metadata and the numbers of llama.cpp’s converter', async (name) => {
    const path = await writeGguf(fixtureFolder(name), undefined, name)
    expect(await readGgufContent(path)).toEqual(await readGgufContent(join(GGUF, `${name}.gguf`)))
  })

  it.each(
    sample([...CONVERTED, ...OTHER_CLASS, 'glm4-moe', 'llava-fused', 'lfm2-vl', 'hunyuan', 'stablelm', 'phi3'], 6),
  )('%s computes the same as the checkpoint', async (name) => {
    const path = await writeGguf(fixtureFolder(name), undefined, name)
    const { decoder, config } = await openModel({ model: path })
    const { all, texts } = readReference(fixtureFolder(name))
    const distances = await measureTexts({ decoder, config }, texts, name)
    const expected = Object.values(all).flat()
    const difference = Math.max(...expected.map((value, index) => Math.abs(value - distances[index]!)))
    expect(difference).toBeLessThan(1e-6)
  })

  it.each(sample(GGUF_NAMES, 3))('%s is written again with the same numbers', async (name) => {
    const path = await writeGguf(join(GGUF, name), undefined, name.slice(0, -'.gguf'.length))
    const [own, read] = [await readGgufContent(path), await readGgufContent(join(GGUF, name))]
    expect(own.tensors).toEqual(read.tensors)
    const keys = Object.keys(read.metadata).filter((key) => !NOT_READ.test(key))
    for (const key of keys) expect(own.metadata[key], key).toEqual(read.metadata[key])
  })

  it.each(Object.entries(REFUSED))('%s is refused', async (name, message) => {
    await expect(writeGguf(fixtureFolder(name), 'F32', name)).rejects.toMatchObject({
      message: expect.stringMatching(message),
      hint: expect.stringMatching(/export the model to ONNX instead$/),
    })
  })

  it('says that llama.cpp has no windows for an architecture', async () => {
    const notes: string[] = []
    await writeGguf(fixtureFolder('mistral-window'), 'F32', 'mistral', { onNote: (note) => notes.push(note) })
    expect(notes).toEqual([
      'llama.cpp has no windows for llama: in texts of more than 6 tokens each token sees all before it',
    ])
  })

  it.each(sample(PACKED, 9))('of packed weights computes what they stand for: %s', async (name) => {
    const folder = join(FIXTURES, 'packed', name)
    const path = await writeGguf(folder, 'F32', name, { tokenizer: fixtureFolder('llama') })
    const { decoder, config } = await openModel({ model: path })
    const { all, texts } = readReference(folder)
    const distances = await measureTexts({ decoder, config }, texts, name)
    const difference = Math.max(
      ...Object.values(all)
        .flat()
        .map((value, index) => Math.abs(value - distances[index]!)),
    )
    expect(difference).toBeLessThan(1e-6)
  })

  it('keeps the bits of experts in MXFP4', async () => {
    const folder = join(FIXTURES, 'packed', 'mxfp4-experts')
    const tokenizer = fixtureFolder('llama')
    const [packed, plain] = await Promise.all(
      (['MXFP4', 'F32'] as const).map((dtype) => writeGguf(folder, dtype, dtype, { tokenizer })),
    )
    const [own, expected] = [await openGguf(packed!), await openGguf(plain!)]
    for (const [name, tensor] of own.tensors) {
      if (tensor.type.name !== 'MXFP4') continue
      const [found, read] = await Promise.all([tensor, expected.tensors.get(name)!].map(readNumbers))
      // negative zeros become zeros, as in ggml
      expect(found, name).toEqual(read!.map((value) => value + 0))
    }
    expect([...own.tensors.values()].filter(({ type }) => type.name === 'MXFP4')).not.toHaveLength(0)
  })
})

function readNumbers({ name, type, shape, ...place }: GgufTensor): Promise<Float32Array> {
  const part = { name, dtype: 'U8' as const, shape: [place.sizeBytes], ...place }
  if (type.name === 'MXFP4') return readExpression({ kind: 'ggml-blocks', type: 'MXFP4', shape, part })
  return readTensor({ ...part, dtype: 'F32', shape })
}
