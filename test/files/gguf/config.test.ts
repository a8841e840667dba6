import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type ModelOptions, openModel } from '../../../src/engine/model.js'
import { copyFixture } from '../../support/fixture-model.js'
import { changeGguf, count, flag, real, text, type Value } from '../../support/gguf-file.js'
import { FIXTURES } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'

type Changes = Record<string, Value | undefined>

async function open(name: string, changes: Changes, ignoreConfigKey?: string[]) {
  const model = join(makeTempFolder(), 'model.gguf')
  writeFileSync(model, await changeGguf(join(FIXTURES, `gguf/${name}.gguf`), changes))
  return openModel({ model, ignoreConfigKey })
}

describe('metadata of a GGUF file', () => {
  it.each<[string, string, Changes, string | RegExp]>([
    [
      'an unknown architecture',
      'llama',
      { 'general.architecture': text('rwkv7') },
      'of the architecture rwkv7, which cannot be read from GGUF',
    ],
    ['no architecture', 'llama', { 'general.architecture': undefined }, 'does not state its architecture'],
    ['no number of layers', 'llama', { 'llama.block_count': undefined }, 'does not state llama.block_count'],
    [
      'more layers than tensors',
      'llama',
      { 'llama.block_count': count(31) },
      'llama.block_count is 31, expected 1 to 30 layers',
    ],
    ['too many layers', 'llama', { 'llama.block_count': count(4) }, 'has no tensor model.layers.3.'],
    ['too few layers', 'llama', { 'llama.block_count': count(2) }, 'does not account for: blk.2.'],
    ['heads that do not fit', 'llama', { 'llama.attention.head_count': count(8) }, 'has the shape'],
    [
      'another size of values',
      'llama',
      { 'llama.attention.value_length': count(4) },
      "expected 8, the length of a head's key",
    ],
    ['a flag that is a number', 'stablelm', { 'stablelm.attention.causal': count(1) }, 'causal is 1, expected a flag'],
    ['attention to what follows', 'llama', { 'llama.attention.causal': flag(false) }, 'causal is false, expected true'],
    [
      'an unknown scaling',
      'llama',
      { 'llama.rope.scaling.type': text('su') },
      'expected none, linear, yarn or longrope',
    ],
    [
      'scaling beside factors',
      'llama-llama3',
      { 'llama.rope.scaling.type': text('yarn') },
      'for the file has factors on wavelengths',
    ],
    ['another router', 'lfm2-moe', { 'lfm2moe.expert_gating_func': count(1) }, 'expected 2, the sigmoid'],
    [
      'an unknown key',
      'llama',
      { 'llama.logit_scale': real(2) },
      'model.gguf has llama.logit_scale = 2, which is not known of llama models',
    ],
  ])('%s is refused', async (_, name, changes, message) => {
    await expect(open(name, changes)).rejects.toThrow(message)
  })

  it('a key that is not understood can be ignored by name', async () => {
    const { config } = await open('llama', { 'llama.logit_scale': real(2) }, ['llama.logit_scale'])
    expect(config.ignoredKeys).toEqual(['llama.logit_scale'])
  })

  it.each<[string, Changes]>([
    [
      'a list of equal numbers',
      { 'llama.attention.head_count_kv': { type: 'array', elementType: 'uint32', value: [2, 2, 2] } },
    ],
    ['layers for predicting several tokens', { 'llama.nextn_predict_layers': count(0) }],
  ])('%s is read', async (_, changes) => {
    const { config } = await open('llama', changes)
    expect(config).toMatchObject({ family: 'llama', layers: 3, heads: 4, kvHeads: 2 })
  })

  it('layers with different numbers of heads are refused', async () => {
    const lists: Changes = {
      'llama.attention.head_count_kv': { type: 'array', elementType: 'uint32', value: [2, 4, 2] },
    }
    await expect(open('llama', lists)).rejects.toThrow(
      'head_count_kv is [2, 4, 2], expected the same number for all layers',
    )
  })
})

describe('a folder with a GGUF file', () => {
  const source = join(FIXTURES, 'gguf/llama-tied.gguf')

  it('is read from it, whatever config.json is beside it', async () => {
    const folder = makeTempFolder()
    copyFileSync(source, join(folder, 'llama-tied.gguf'))
    copyFileSync(join(FIXTURES, 'families/gpt2/config.json'), join(folder, 'config.json'))
    const { format, file, config, tokenizer } = await openModel({ model: folder })
    expect({ format, file, family: config.family }).toEqual({
      format: 'gguf',
      file: 'llama-tied.gguf',
      family: 'llama',
    })
    expect(tokenizer).toBe(join(folder, 'llama-tied.gguf'))
  })

  it('is read from safetensors if there are any, unless the GGUF file is asked for', async () => {
    const model = copyFixture('llama')
    copyFileSync(source, join(model, 'other.gguf'))
    const openAs = async (asked: Partial<ModelOptions>) => (await openModel({ model, ...asked })).file
    expect(await openAs({})).toBe('model.safetensors')
    expect(await openAs({ format: 'gguf' })).toBe('other.gguf')
    expect(await openAs({ modelFile: 'other.gguf' })).toBe('other.gguf')
    await expect(openAs({ modelFile: 'none.gguf' })).rejects.toThrow('has no file none.gguf; it has other.gguf')
    await expect(openAs({ modelFile: 'other.gguf', format: 'onnx' })).rejects.toThrow(
      'other.gguf is a GGUF file, but `format: onnx` was given',
    )
  })
})
