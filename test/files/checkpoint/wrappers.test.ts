import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readTable } from '../../../src/base/read-table.js'
import { interpretConfig } from '../../../src/files/checkpoint/config.js'
import { WRAPPERS } from '../../../src/files/checkpoint/known-models.js'
import { readTextConfig, textDefaults } from '../../../src/files/checkpoint/wrappers.js'
import { FAMILIES } from '../../../src/model/families/table.js'

/** Configs as versions of transformers save them, by test/fixtures/make-configs.py. */
const DEFAULTS: Record<string, Record<string, Record<string, unknown>>> = JSON.parse(
  readFileSync(new URL('../../fixtures/default-configs.json', import.meta.url), 'utf8'),
)

const SIZED = Object.keys(readTable<{ textSizes: object }>('transformers-5.24').textSizes)

describe('sizes that text_config omits', () => {
  const known = Object.keys(DEFAULTS).flatMap((version) =>
    SIZED.filter((family) => Object.hasOwn(DEFAULTS[version]!, family)).map((family) => ({
      version,
      family,
    })),
  )

  it.each(known)('are those of transformers $version for $family', ({ version, family }) => {
    expect(DEFAULTS[version]![family]).toMatchObject(textDefaults(family))
  })

  it('are known of the decoder of every model that can be read', () => {
    const decoders = Object.values(WRAPPERS).map(({ text }) => text)
    const known = decoders.filter((family) => Object.hasOwn(FAMILIES, family))
    expect(known.length).toBeGreaterThan(10)
    expect(SIZED).toEqual(expect.arrayContaining(known))
  })

  it('are read, as Gemma 3 4B was published', () => {
    const config = {
      model_type: 'gemma3',
      text_config: { hidden_size: 2560, model_type: 'gemma3_text', num_hidden_layers: 34 },
      vision_config: { hidden_size: 1152, num_hidden_layers: 27 },
      torch_dtype: 'bfloat16',
    }
    expect(interpretConfig(config, 'config.json')).toMatchObject({
      family: 'gemma3_text',
      wrapper: 'gemma3',
      layers: 34,
      hiddenSize: 2560,
      heads: 8,
      maxPositions: 131_072,
      storedDtype: 'bfloat16',
    })
  })
})

describe('a decoder inside another model', () => {
  const text = { model_type: 'llama', hidden_size: 64, num_hidden_layers: 2 }

  it('takes nothing from the top but how weights are stored and whether the head is tied', () => {
    const config = {
      model_type: 'idefics3',
      hidden_size: 7,
      scale_factor: 2,
      dtype: 'float16',
      text_config: text,
    }
    const section = readTextConfig({ ...config, quantization_config: { quant_method: 'fp8' } })
    expect(section).toMatchObject({ ...text, dtype: 'float16', tie_word_embeddings: false })
    expect(section).toMatchObject({ quantization_config: { quant_method: 'fp8' } })
    expect(section).not.toHaveProperty('scale_factor')
  })

  it.each([
    ['gemma3', { model_type: 'something' }, 'gemma3_text'],
    ['llava', { model_type: 'mistral' }, 'mistral'],
    ['llava', {}, 'llama'],
    ['internvl', {}, 'qwen2'],
  ])('of %s with %j is of the family %s', (wrapper, stated, family) => {
    expect(readTextConfig({ model_type: wrapper, text_config: stated })).toMatchObject({ model_type: family })
  })

  const absent = undefined
  it.each([
    ['gemma3', absent, false, true],
    ['gemma3', false, true, false],
    ['smolvlm', absent, true, false],
    ['llava', absent, true, true],
    ['llava', false, true, true],
    ['llava', true, false, true],
    ['qwen2_vl', absent, absent, absent],
    ['qwen2_audio', true, true, false],
  ])('of %s, tied %s at the top and %s in text_config: %s', (wrapper, top, stated, expected) => {
    const config = { model_type: wrapper, tie_word_embeddings: top }
    const section = readTextConfig({ ...config, text_config: { tie_word_embeddings: stated } })
    expect(section!.tie_word_embeddings).toBe(expected)
  })

  it('may have its keys at the top, as Qwen 2 VL was published', () => {
    const config = { model_type: 'qwen2_vl', hidden_size: 64, tie_word_embeddings: true, vision_config: {} }
    expect(readTextConfig(config)).toMatchObject({ model_type: 'qwen2_vl_text', hidden_size: 64 })
    expect(readTextConfig({ ...config, model_type: 'llava' })).toBeUndefined()
  })

  it.each([
    ['text_config', { text_config: { is_causal: false } }],
    ['the top', { text_config: {}, is_causal: false }],
  ])('is not causal if %s says so', (_where, keys) => {
    expect(readTextConfig({ model_type: 'llava', ...keys })).toMatchObject({ is_causal: false })
  })
})
