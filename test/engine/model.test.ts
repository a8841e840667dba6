import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { locateModel, type Model, type ModelOptions, openModel, prepareModel } from '../../src/engine/model.js'
import { openWholeSession } from '../../src/engine/sessions/whole-session.js'
import { FIXTURES } from '../support/paths.js'
import { makeTempFolder } from '../support/temp-folder.js'

/** A folder with the files of both, the config of the first. */
function makeFolder(...parts: string[]): string {
  const folder = makeTempFolder()
  for (const part of parts.toReversed()) cpSync(join(FIXTURES, part), folder, { recursive: true })
  return folder
}

async function open(folder: string, options: Partial<ModelOptions> = {}) {
  const notes: string[] = []
  const model = await openModel({ model: folder, onNote: (note) => notes.push(note), ...options })
  return { model, notes }
}

describe('a folder with safetensors and graphs', () => {
  const both = ['families/llama', 'onnx/llama']

  it('is read from safetensors, and says so', async () => {
    const { model, notes } = await open(makeFolder(...both))
    expect(model).toMatchObject({
      format: 'safetensors',
      file: 'model.safetensors',
      precision: { dtype: 'fp32', sharesScaleInBatch: false },
    })
    expect(notes).toEqual(['reading model.safetensors in fp32'])
  })

  it.each([[{ format: 'onnx' }], [{ modelFile: 'onnx/model.onnx' }], [{ dtype: 'fp16' }]] as const)(
    'is read from its graph with %j',
    async (options) => {
      const { model } = await open(makeFolder(...both), options)
      expect(model.format).toBe('onnx')
      expect(model.file).toMatch(/^onnx\/model.*\.onnx$/)
    },
  )

  it('is read from its graph if the family is not known, and a note says so', async () => {
    const folder = makeFolder(...both)
    writeFileSync(
      join(folder, 'config.json'),
      JSON.stringify({ model_type: 'new', num_hidden_layers: 3, hidden_size: 32, num_attention_heads: 4 }),
    )
    const { model, notes } = await open(folder)
    expect(model.format).toBe('onnx')
    expect(notes[0]).toBe('new models cannot be read from model.safetensors yet, so a graph is read')
    await expect(open(folder, { format: 'safetensors' })).rejects.toThrow(/model_type "new"/)
  })
})

describe('a model in q8', () => {
  it('is opened without an int8 weight being made, and cannot run before prepareModel makes them', async () => {
    const home = makeTempFolder()
    vi.stubEnv('HF_HOME', home)
    onTestFinished(() => void vi.unstubAllEnvs())
    const { model } = await open(makeFolder('families/llama'), { dtype: 'q8' })
    expect(model.precision).toEqual({ dtype: 'q8', sharesScaleInBatch: false })
    expect(readdirSync(home)).toEqual([])
    const run = ({ decoder, config }: Model) => openWholeSession(decoder, config, { device: 'cpu' })
    await expect(run(model)).rejects.toThrow(/awaits int8 weights/)
    const prepared = await prepareModel(model)
    expect(readdirSync(join(home, 'layerprune'))).toEqual([expect.stringMatching(/\.int8$/)])
    await (await run(prepared)).close()
  })
})

describe('weights in 16 bits', () => {
  it('stay as they are stored', async () => {
    const { model } = await open(makeFolder('families/falcon'), { dtype: 'fp16' })
    expect(model).toMatchObject({ format: 'safetensors', precision: { dtype: 'fp16' } })
    expect(model.decoder.castsPerRun).toBe(true)
  })
})

it('an adapter beside the weights is said to have no part in them', async () => {
  const folder = makeFolder('families/llama')
  writeFileSync(join(folder, 'adapter_config.json'), '{}')
  const { notes } = await open(folder)
  expect(notes).toContain(
    'adapter_config.json is beside the weights, which are read alone; transformers would load the adapter and its base instead',
  )
})

describe('a folder with one of them', () => {
  it('is read from what it has', async () => {
    expect((await open(makeFolder('families/mixtral'))).model.file).toBe('model.safetensors.index.json')
    expect((await open(makeFolder('onnx/llama'))).model.format).toBe('onnx')
  })

  it('says what is there if the other was asked for', async () => {
    await expect(open(makeFolder('families/llama'), { format: 'onnx' })).rejects.toThrow(/no \.onnx graph/)
    await expect(open(makeFolder('onnx/llama'), { format: 'safetensors' })).rejects.toThrow(/no safetensors weights/)
  })

  it('says what is there if neither is', async () => {
    const folder = makeFolder('families/llama')
    rmSync(join(folder, 'model.safetensors'))
    writeFileSync(join(folder, 'tf_model.h5'), '')
    await expect(open(folder)).rejects.toThrow(/only the tensorflow or flax file "tf_model\.h5"/)
  })
})

describe('a model that cannot be read says what to do', () => {
  function folderOf(config: object | undefined, ...names: string[]): string {
    const folder = makeTempFolder()
    if (config) writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
    for (const name of names) writeFileSync(join(folder, name), '{}')
    return folder
  }

  it.each([
    [['m.gguf'], /m\.gguf is truncated: expected at least 4 bytes, found \d/, /download or copy the file again/],
    [['a.gguf', 'b.gguf'], /has several GGUF files: a\.gguf, b\.gguf$/, /`modelFile: a\.gguf`/],
    [['mmproj-a.gguf'], /only the gguf file "mmproj-a\.gguf"$/, /checkpoint that it was converted from/],
    [
      ['adapter_config.json', 'adapter_model.safetensors'],
      /has peft_type not given, expected "LORA"/,
      /merge_and_unload/,
    ],
    [['pytorch_model.bin'], /has no config\.json$/, /must hold config\.json/],
    [['model.safetensors', 'training_args.bin'], /has no config\.json$/, /must hold config\.json/],
  ])('%j without config.json', async (names, message, hint) => {
    await expect(locateModel({ model: folderOf(undefined, ...names) })).rejects.toMatchObject({
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    })
  })

  it('a file of another form', async () => {
    const model = join(folderOf(undefined, 'm.npz'), 'm.npz')
    await expect(locateModel({ model })).rejects.toMatchObject({
      message: `${model} is a numpy file, which cannot be read`,
      hint: 'use the safetensors checkpoint that it was converted from',
    })
  })

  const SIZES = { num_hidden_layers: 2, hidden_size: 32, num_attention_heads: 4 }
  const ATTENTION = 'decoders with recurrent layers can be read only if their family is named above'
  const DECODERS = 'only decoders (causal language models) can be read'
  const OTHER_FAMILY = 'take a model of a family that docs/models.md lists'
  const EXPORT = 'use an ONNX export of the model'
  it.each([
    ['rwkv', { num_hidden_layers: 2, hidden_size: 32, attention_hidden_size: 32 }, OTHER_FAMILY],
    ['bart', { d_model: 32, encoder_layers: 2 }, DECODERS],
    ['plamo2', { ...SIZES, mamba_num_heads: 4 }, ATTENTION],
    ['xlarge', { num_layers: 2, d_model: 32, attention_heads: 4 }, EXPORT],
    ['plamo3', { ...SIZES, mamba_n_heads: 4, layer_types: ['attention', 'attention'] }, EXPORT],
    ['dbrx2', { ...SIZES, architectures: ['Dbrx2ForCausalLM'] }, EXPORT],
    ['bert', { ...SIZES, architectures: ['BertForMaskedLM'] }, DECODERS],
    ['t5', { ...SIZES, is_encoder_decoder: true }, DECODERS],
  ])('%s by its name', async (model_type, config, hint) => {
    const model = folderOf({ model_type, ...config })
    cpSync(join(FIXTURES, 'families/llama/model.safetensors'), join(model, 'model.safetensors'))
    await expect(openModel({ model })).rejects.toMatchObject({
      message: expect.stringContaining(`has the model_type "${model_type}", which is not supported`),
      hint,
    })
  })

  it.each([
    ['gemma3n_text', { ...SIZES }],
    ['gemma3n', { text_config: SIZES }],
  ])('%s, which has no single residual stream', async (model_type, config) => {
    const model = folderOf({ model_type, ...config })
    cpSync(join(FIXTURES, 'families/llama/model.safetensors'), join(model, 'model.safetensors'))
    await expect(openModel({ model })).rejects.toThrow(/four states side by side \(AltUp\)/)
  })

  it.each([
    ['deepseek_v4', /hyper-connections/],
    ['hy_v4', /hyper-connections/],
    ['longcat_flash', /two attentions and two MLPs/],
    ['axk2', /norms and its attention have gates/],
  ])('%s, with the reason', async (model_type, reason) => {
    const model = folderOf({ ...SIZES, model_type })
    cpSync(join(FIXTURES, 'families/llama/model.safetensors'), join(model, 'model.safetensors'))
    await expect(openModel({ model })).rejects.toThrow(reason)
  })

  describe('for a key that is not understood', () => {
    const LLAMA = JSON.parse(readFileSync(join(FIXTURES, 'families/llama/config.json'), 'utf8'))
    const open = (keys: object, ignoreConfigKey?: string[], onNote?: (note: string) => void) => {
      const model = folderOf({ ...LLAMA, transformers_version: '6.0.0', ...keys })
      cpSync(join(FIXTURES, 'families/llama/model.safetensors'), join(model, 'model.safetensors'))
      return openModel({ model, ignoreConfigKey, onNote })
    }

    it('names the choices', async () => {
      await expect(open({ swirl: 3 })).rejects.toMatchObject({
        message: expect.stringContaining('swirl = 3, which is not known of llama models'),
        hint: expect.stringContaining('`ignoreConfigKey: swirl`'),
      })
    })

    it('is read if the key may be ignored, and says so', async () => {
      const notes: string[] = []
      const { config } = await open({ swirl: 3 }, ['swirl'], (note) => notes.push(note))
      expect(config.ignoredKeys).toEqual(['swirl'])
      expect(notes).toContainEqual(expect.stringContaining('swirl is ignored'))
    })

    it('does not ignore a key that is understood, or is not there', async () => {
      await expect(open({}, ['rms_norm_eps'])).rejects.toThrow(/models are known to have rms_norm_eps/)
      await expect(open({}, ['swirl'])).rejects.toThrow(/config.json has no key swirl to ignore/)
    })
  })

  it('a known family whose sizes are lacking keeps its own message', async () => {
    const model = folderOf({ model_type: 'llama', hidden_size: 32, num_hidden_layers: 2 }, 'model.safetensors')
    await expect(locateModel({ model })).rejects.toThrow(/does not state num_attention_heads$/)
  })
})
