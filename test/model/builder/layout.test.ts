import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { interpretConfig } from '../../../src/files/checkpoint/config.js'
import { openSafetensors, type SafetensorsCheckpoint } from '../../../src/files/checkpoint/safetensors.js'
import { buildDecoder, describeDecoder, findMissingPrefix } from '../../../src/model/builder/build-decoder.js'
import { fixtureFolder, measureBlocks } from '../../support/fixture-model.js'
import { largestDifference } from '../../support/largest-difference.js'

type Rename = (name: string) => string | undefined

function readConfig(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(fixtureFolder(name), 'config.json'), 'utf8'))
}

/** A fixture's checkpoint with other names; undefined leaves a tensor out. */
async function renameTensors(name: string, rename: Rename): Promise<SafetensorsCheckpoint> {
  const checkpoint = await openSafetensors(fixtureFolder(name))
  const tensors = [...checkpoint.tensors.values()].flatMap((tensor) => {
    const other = rename(tensor.name)
    return other === undefined ? [] : [[other, { ...tensor, name: other }] as const]
  })
  return { ...checkpoint, tensors: new Map(tensors) }
}

async function build(name: string, rename: Rename, changes: Record<string, unknown> = {}) {
  const config = interpretConfig({ ...readConfig(name), ...changes }, 'config.json')
  return { decoder: buildDecoder(config, await renameTensors(name, rename)), config }
}

const outputOf = ({ decoder }: Awaited<ReturnType<typeof build>>) => decoder.model.graph.output[0]!.name

describe('the decoder inside another model is found', () => {
  const NAMES: [where: string, fixture: string, rename: Rename][] = [
    ['behind language_model.model.', 'llava', (name) => name],
    [
      'behind model.language_model.',
      'llava',
      (name) =>
        name
          .replace(/^language_model\.lm_head/, 'lm_head')
          .replace(/^language_model\.model\./, 'model.language_model.'),
    ],
    ['with its head at the top', 'llava', (name) => name.replace(/^language_model\.lm_head/, 'lm_head')],
    ['behind another name', 'llava', (name) => name.replace('language_model.', 'thinker.')],
    ['behind model.', 'qwen2-vl', (name) => name.replace('model.language_model.', 'model.')],
  ]

  it.each(NAMES)('%s', async (_where, fixture, rename) => {
    const built = await build(fixture, rename)
    const reference = JSON.parse(readFileSync(join(fixtureFolder(fixture), 'reference.json'), 'utf8'))
    const distances = await measureBlocks(built, fixture)
    expect(largestDifference(distances, Object.values<number[]>(reference.all).flat())).toBeLessThan(1e-6)
    expect(outputOf(built)).toBe('logits')
  })

  it('without a head, if the class that saved it has none', async () => {
    const withoutHead: Rename = (name) => (name.includes('lm_head') ? undefined : name)
    expect(outputOf(await build('llava', withoutHead, { architectures: ['LlavaModel'] }))).toBe('last_hidden_state')
    await expect(build('llava', withoutHead)).rejects.toThrow('no tensor lm_head.weight')
  })
})

describe('what is not understood is refused', () => {
  const CASES: [what: string, fixture: string, rename: Rename, message: string][] = [
    [
      'a tensor inside the decoder that it does not have',
      'gemma3-vl',
      (name) => name.replace(/^multi_modal_projector\./, 'language_model.model.gate.'),
      'does not account for: language_model.model.gate.',
    ],
    [
      'a tensor in a layer of the decoder that it does not have',
      'gemma3-vl',
      (name) => name.replace(/^multi_modal_projector\./, 'language_model.model.layers.0.gate.'),
      'does not account for: language_model.model.layers.0.gate.',
    ],
    [
      'a decoder without one of its tensors',
      'gemma3-vl',
      (name) => (name.endsWith('layers.1.mlp.up_proj.weight') ? undefined : name),
      'no tensor language_model.model.layers.1.mlp.up_proj.weight',
    ],
    [
      'a decoder without its table',
      'gemma3-vl',
      (name) => (name.endsWith('embed_tokens.weight') ? undefined : name),
      'has no tensor for the decoder of gemma3, expected one embed_tokens.weight beside layers.0',
    ],
  ]
  it.each(CASES)('%s', async (_what, fixture, rename, message) => {
    await expect(build(fixture, rename)).rejects.toThrow(message)
  })

  it('two decoders', async () => {
    const checkpoint = await openSafetensors(fixtureFolder('llava'))
    for (const tensor of [...checkpoint.tensors.values()]) {
      const name = tensor.name.replace('language_model.', 'talker.')
      checkpoint.tensors.set(name, { ...tensor, name })
    }
    const config = interpretConfig(readConfig('llava'), 'config.json')
    expect(() => buildDecoder(config, checkpoint)).toThrow(
      'has language_model.model.embed_tokens.weight and talker.model.embed_tokens.weight for the decoder of llava',
    )
  })

  const REFUSED: [wrapper: string, reason: string][] = [
    ['mllama', '"mllama", which is not supported: some of its layers attend to the features of images'],
    ['paligemma', '"paligemma", which is not supported: tokens of its prompt see those that follow'],
    ['some_vl', '"some_vl", which is not supported: it is not known how it uses the decoder of its text_config'],
  ]
  it.each(REFUSED)('%s by name', async (wrapper, reason) => {
    await expect(build('llava', (name) => name, { model_type: wrapper })).rejects.toThrow(reason)
  })

  it.each([
    ['a key of the decoder that is not known', { residual_gate: 2 }, 'residual_gate = 2, which is not known of llama'],
    ['a decoder that is not causal', { is_causal: false }, 'is_causal is false'],
  ])('%s', async (_what, keys, message) => {
    const text = { ...(readConfig('llava').text_config as object), ...keys }
    await expect(build('llava', (name) => name, { text_config: text })).rejects.toThrow(message)
  })

  it('weights quantised by an unknown method, wherever the config says so', async () => {
    const quantized = { quantization_config: { quant_method: 'aqlm' } }
    const text = { ...(readConfig('llava').text_config as object), ...quantized }
    const rename: Rename = (name) => name
    await expect(build('llava', rename, quantized)).rejects.toThrow('quantised in a way that cannot be read')
    await expect(build('llava', rename, { text_config: text })).rejects.toThrow(
      'quantised in a way that cannot be read',
    )
  })
})

it('keys at the top that are not those of the decoder have no part in it', async () => {
  const { tensors } = await openSafetensors(fixtureFolder('idefics3'))
  const describeWith = (changes: Record<string, unknown>) =>
    describeDecoder(interpretConfig({ ...readConfig('idefics3'), ...changes }, 'config.json'), tensors)
  const changed = describeWith({ rms_norm_eps: 0.5, hidden_size: 99, rope_theta: 7, anything: [1] })
  expect(JSON.stringify(changed)).toBe(JSON.stringify(describeWith({})))
})

it.each([
  ['gpt2', /^transformer\./, 'transformer.'],
  ['llama', /^model\./, 'model.'],
])('names of %s that were saved without the head lack a prefix', async (name, prefix, missing) => {
  const config = interpretConfig(readConfig(name), 'config.json')
  const bare = await renameTensors(name, (tensor) => (prefix.test(tensor) ? tensor.replace(prefix, '') : undefined))
  expect(findMissingPrefix(config, bare.tensors)).toBe(missing)
  const whole = await openSafetensors(fixtureFolder(name))
  expect(findMissingPrefix(config, whole.tensors)).toBe('')
})

it('layers for multi-token prediction, behind the last one, are ignored in any family', async () => {
  const checkpoint = await openSafetensors(fixtureFolder('llama'))
  const tensors = [...checkpoint.tensors.values()].flatMap((tensor) => {
    const name = tensor.name.replace('layers.2.', 'layers.3.')
    return name === tensor.name ? [tensor] : [tensor, { ...tensor, name }]
  })
  const withExtra = { ...checkpoint, tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])) }
  const read = (keys: object) => interpretConfig({ ...readConfig('llama'), ...keys }, 'config.json')
  const config = read({ num_nextn_predict_layers: 1 })
  const distances = await measureBlocks({ decoder: buildDecoder(config, withExtra), config }, 'llama')
  const whole = read({})
  expect(distances).toEqual(await measureBlocks({ decoder: buildDecoder(whole, checkpoint), config: whole }, 'llama'))
  expect(() => buildDecoder(whole, withExtra)).toThrow(/does not account for: model.layers.3/)
})
