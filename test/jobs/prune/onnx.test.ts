import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AutoModelForCausalLM, Tensor } from '@huggingface/transformers'
import { describe, expect, it } from 'vitest'
import { openModel } from '../../../src/engine/model.js'
import { type PruneOptions, pruneModel } from '../../../src/jobs/prune/prune.js'
import { cutBlocks } from '../../../src/model/graph/cut.js'
import { parseModel } from '../../../src/model/graph/onnx/onnx.js'
import { largestDifference } from '../../support/largest-difference.js'
import { EXAMPLES, FIXTURES } from '../../support/paths.js'
import { runDecoder } from '../../support/run-decoder.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const EXAMPLE = join(EXAMPLES, 'model')

async function prune(model: string, drop: [number, number][], options: Partial<PruneOptions> = {}) {
  const output = join(makeTempFolder(), 'pruned')
  const removed = drop.map(([start, end]) => ({ start, end }))
  await pruneModel({ model, output, plan: { strategy: 'explicit', removed }, format: 'onnx', ...options })
  return { output, removed }
}

const GRAPHS: [name: string, options?: Partial<PruneOptions>][] = [
  ['onnx/bloom'],
  ['onnx/falcon'],
  ['onnx/fused-llama'],
  ['onnx/fused-llama', { dtype: 'q4' }],
  ['onnx/gemma'],
  ['onnx/genai-gemma4'],
  ['onnx/genai-gpt-oss'],
  ['onnx/genai-lfm2'],
  ['onnx/genai-llama'],
  ['onnx/genai-qwen3-5'],
  ['onnx/genai-qwen3-int4'],
  ['onnx/gpt-neox'],
  ['onnx/gpt2'],
  ['onnx/llama'],
  ['onnx/llama', { dtype: 'fp16' }],
  ['onnx/llama', { dtype: 'q8' }],
  ['onnx/llama-no-past'],
  ['onnx/mistral'],
  ['onnx/phi'],
  ['onnx/qwen2'],
  ['onnx/qwen3', { dtype: 'q4f16' }],
]

describe('a pruned graph', () => {
  it.each(GRAPHS)('computes what the cut one does: %s %j', async (name, options = {}) => {
    const model = join(FIXTURES, name)
    const { output, removed } = await prune(model, [[1, 2]], options)
    const whole = await openModel({ model, format: 'onnx', ...options })
    const pruned = await openModel({ model: output, format: 'onnx', ...options })
    expect(pruned.file).toBe(whole.file)
    expect(pruned.config.layers).toBe(whole.config.layers - 1)
    const expected = await runDecoder(cutBlocks(whole.decoder, removed), whole.config)
    expect(largestDifference(expected, await runDecoder(pruned.decoder, pruned.config))).toBeLessThan(1e-5)
  })
})

/** Generates with transformers.js, greedily, and gives the logits of the prompt's last token. */
async function runInTransformers(folder: string, dtype: 'fp32' | 'q8' | 'q4') {
  const model = await AutoModelForCausalLM.from_pretrained(folder, { dtype, local_files_only: true })
  const prompt = [5, 17, 33, 8, 41]
  const shape = [1, prompt.length]
  const inputs = {
    input_ids: new Tensor('int64', BigInt64Array.from(prompt, BigInt), shape),
    attention_mask: new Tensor(
      'int64',
      BigInt64Array.from(prompt, () => 1n),
      shape,
    ),
  }
  const { logits } = await model.forward(inputs)
  const generated = (await model.generate({ ...inputs, max_new_tokens: 8, do_sample: false })) as Tensor
  await model.dispose()
  return { logits: [...(logits.data as Float32Array)], tokens: generated.dims[1]! }
}

describe('transformers.js', () => {
  it.each([
    ['onnx/llama', 'fp32'],
    ['onnx/llama', 'q8'],
    ['onnx/fused-llama', 'fp32'],
    ['onnx/fused-llama', 'q4'],
    ['onnx/gpt2', 'fp32'],
    ['onnx/qwen3', 'fp32'],
  ] as const)('generates with a pruned %s in %s', async (name, dtype) => {
    const { output } = await prune(join(FIXTURES, name), [[1, 2]], { dtype })
    const { tokens } = await runInTransformers(output, dtype)
    expect(tokens).toBeGreaterThan(5)
  })

  it('generates with the pruned example, with the logits of its pruned safetensors', async () => {
    const drop: [number, number][] = [
      [3, 5],
      [8, 9],
    ]
    const fromGraph = await prune(EXAMPLE, drop)
    const fromTensors = await prune(EXAMPLE, drop, { format: 'safetensors' })
    const { logits } = await runInTransformers(fromGraph.output, 'fp32')
    const { decoder, config } = await openModel({ model: fromTensors.output })
    const expected = await runDecoder(decoder, config, [[5, 17, 33, 8, 41]])
    expect(expected).toHaveLength(logits.length)
    expect(largestDifference(expected, logits)).toBeLessThan(1e-3)
  })
})

function readGenaiDecoder(folder: string) {
  return JSON.parse(readFileSync(join(folder, 'genai_config.json'), 'utf8')).model.decoder
}

describe('the files of a pruned graph', () => {
  it('hold no weight that nothing reads, and say how many they are', async () => {
    const model = join(FIXTURES, 'onnx/fused-llama')
    const { output } = await prune(model, [[0, 2]])
    const sizeOf = (folder: string) => statSync(join(folder, 'onnx/model.onnx_data')).size
    expect(sizeOf(output)).toBeLessThan(sizeOf(model))
    const config = JSON.parse(readFileSync(join(output, 'config.json'), 'utf8'))
    expect(config.num_hidden_layers).toBe(1)
    expect(config['transformers.js_config'].use_external_data_format).toEqual({ 'model.onnx': 1 })
    expect(readdirSync(join(output, 'onnx')).sort()).toEqual(['model.onnx', 'model.onnx_data'])
  })

  it('are those of every precision if all are asked for', async () => {
    const { output } = await prune(join(FIXTURES, 'onnx/fused-llama'), [[0, 1]], {
      allDtypes: true,
      format: undefined,
    })
    expect(readdirSync(join(output, 'onnx')).sort()).toEqual([
      'model.onnx',
      'model.onnx_data',
      'model_q4.onnx',
      'model_quantized.onnx',
    ])
    for (const dtype of ['fp32', 'q4', 'q8'] as const) {
      expect((await runInTransformers(output, dtype)).tokens).toBeGreaterThan(5)
    }
  })

  it('cannot be all and one', async () => {
    const both = prune(join(FIXTURES, 'onnx/llama'), [[0, 1]], { allDtypes: true, dtype: 'q8' })
    await expect(both).rejects.toMatchObject({ name: 'UsageError' })
  })

  it('have caches numbered from zero', async () => {
    const { output } = await prune(join(FIXTURES, 'onnx/llama'), [[0, 1]])
    const graph = parseModel(readFileSync(join(output, 'onnx/model.onnx'))).graph!
    const caches = [...graph.input, ...graph.output].map(({ name }) => name).filter((name) => /\d/.test(name))
    expect(caches.sort()).toEqual(
      [0, 1]
        .flatMap((layer) =>
          ['past_key_values', 'present'].flatMap((cache) =>
            ['key', 'value'].map((part) => `${cache}.${layer}.${part}`),
          ),
        )
        .sort(),
    )
  })

  it('of onnxruntime-genai have its config cut too', async () => {
    const { output } = await prune(join(FIXTURES, 'onnx/genai-llama'), [[1, 3]])
    const config = JSON.parse(readFileSync(join(output, 'genai_config.json'), 'utf8'))
    expect(config.model.decoder.num_hidden_layers).toBe(1)
    expect(readdirSync(output)).toContain('model.onnx_data')
  })

  it('of onnxruntime-genai name kinds of layers and windows by the new numbers', async () => {
    const hybrid = await prune(join(FIXTURES, 'onnx/genai-lfm2'), [[1, 2]])
    expect(readGenaiDecoder(hybrid.output).layer_types).toEqual(['conv', 'conv', 'full_attention'])
    const windowed = await prune(join(FIXTURES, 'onnx/genai-gpt-oss'), [[0, 2]])
    expect(readGenaiDecoder(windowed.output).sliding_window.layers).toEqual([0])
    const { node } = parseModel(readFileSync(join(windowed.output, 'model.onnx'))).graph!
    const bounded = node.filter(({ attribute }) => attribute.some(({ name }) => name === 'sliding_window_cache'))
    expect(bounded).toHaveLength(1)
  })

  it('have the state of each convolution and recurrence under the new number of its layer', async () => {
    const { output } = await prune(join(FIXTURES, 'onnx/genai-qwen3-5'), [[0, 1]])
    const { input } = parseModel(readFileSync(join(output, 'model.onnx'))).graph!
    const caches = input.map(({ name }) => name).filter((name) => name.startsWith('past'))
    expect(caches.sort()).toEqual([
      'past.1.conv',
      'past.1.recurrent',
      ...[0, 2].flatMap((layer) => [`past_key_values.${layer}.key`, `past_key_values.${layer}.value`]),
    ])
  })

  it('are refused beside another graph of onnxruntime-genai', async () => {
    const model = makeTempFolder()
    cpSync(join(FIXTURES, 'onnx/genai-llama'), model, { recursive: true })
    const file = join(model, 'genai_config.json')
    const config = JSON.parse(readFileSync(file, 'utf8'))
    config.model.mtp = { enabled: true, filename: 'mtp.onnx' }
    writeFileSync(file, JSON.stringify(config))
    await expect(prune(model, [[1, 2]])).rejects.toThrow(
      "genai_config.json names a graph besides the decoder's (model.mtp: mtp.onnx)",
    )
  })
})
