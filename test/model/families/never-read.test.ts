import { describe, expect, it } from 'vitest'
import { readNames } from '../../../src/model/families/describe/never-read.js'
import { FAMILIES } from '../../../src/model/families/table.js'
import { buildFrom, fixtureFolder, measureBlocks } from '../../support/fixture-model.js'

const { families: FAMILY_NAMES, version: READ_VERSION } = readNames()

const STRAY = {
  unsloth_fixed: true,
  some_trainer_note: 5,
  _saved_by: 'me',
  skip_layer_ids: [1],
  merge_recipe: { a: null },
}

const build = (fixture: string, changes: Record<string, unknown>) => buildFrom(fixtureFolder(fixture), changes)

describe("keys that transformers' own code never reads", () => {
  it.each(['llama', 'qwen2', 'gemma3', 'phi3'])('%s: distances stay the same to the bit', async (fixture) => {
    const expected = await measureBlocks(await build(fixture, {}), fixture)
    const found = await measureBlocks(await build(fixture, STRAY), fixture)
    expect([...found]).toEqual([...expected])
  })

  it.each([READ_VERSION, '5.24.7', '5.24.0.dev0', '4.57.6', '5.9.0', null])(
    'as transformers %s saved it',
    async (transformers_version) => {
      await expect(build('llama', { some_trainer_note: 5, transformers_version })).resolves.toBeDefined()
    },
  )

  it.each(['5.25.0.dev0', '5.100.0', '6.0.0', 'main', '', 5, true])(
    'are refused as transformers %j saved it',
    async (transformers_version) => {
      await expect(build('llama', { some_trainer_note: 5, transformers_version })).rejects.toThrow(
        /has some_trainer_note = 5, which is not known of llama/,
      )
    },
  )

  it.each([{ AutoModelForCausalLM: 'modeling.Own' }, {}, null])(
    'are refused beside auto_map = %j',
    async (auto_map) => {
      await expect(build('llama', { auto_map, some_trainer_note: 5 })).rejects.toThrow(/has some_trainer_note = 5/)
    },
  )

  it('are refused if transformers does not have the family', async () => {
    expect(FAMILY_NAMES).not.toHaveProperty('minicpm')
    await expect(build('minicpm', { some_trainer_note: 5 })).rejects.toThrow(/has some_trainer_note = 5/)
  })
})

describe("a key that transformers' code reads is still refused", () => {
  it.each<[fixture: string, key: string, value: unknown]>([
    ['llama', 'sliding_window', 3],
    ['llama', 'layer_types', ['full_attention', 'full_attention', 'full_attention']],
    ['llama', 'attention_chunk_size', 4],
    ['gemma3', 'num_kv_shared_layers', 1],
    ['llama', 'is_causal', false],
    ['llama', 'per_layer_config', { 0: {} }],
    ['llama', 'ignore_keys_at_rope_validation', ['factor']],
    ['llama', 'attribute_map', {}],
    ['llama', 'get_text_config', 1],
    ['gemma3', 'mm_tokens_per_image', 4],
    ['llama', 'decoder_layers', 2],
    ['llama', 'output_streams', true],
    ['llama', 'Odd', true],
    ['llama', 'odd.key', true],
    ['llama', 'odd key', true],
    ['llama', 'use_qk_norm', true],
    ['qwen3', 'use_qk_norm', false],
    ['llama', 'clip_qkv', 0.3],
  ])('%s with %s = %j', async (fixture, key, value) => {
    await expect(build(fixture, { [key]: value })).rejects.toThrow(new RegExp(`${key} [=i]`))
  })

  it('in an object of its own', async () => {
    const rope_scaling = { rope_type: 'linear', factr: 2 }
    await expect(build('llama-linear', { rope_parameters: undefined, rope_scaling })).rejects.toThrow(/factor/)
    await expect(build('mpt', { attn_config: { some_trainer_note: 5 } })).rejects.toThrow(
      /attn_config has some_trainer_note = 5/,
    )
  })
})

it('every family whose code was read is in the table', () => {
  expect(Object.keys(FAMILIES)).toEqual(expect.arrayContaining(Object.keys(FAMILY_NAMES)))
})
