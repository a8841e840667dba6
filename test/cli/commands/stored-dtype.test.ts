import { closeSync, cpSync, ftruncateSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { largestDifferenceByKey } from '../../support/largest-difference.js'
import { EXAMPLES, FIXTURES } from '../../support/paths.js'
import { runWithPeak } from '../../support/peak-memory.js'
import { runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const family = (name: string) => join(FIXTURES, 'families', name)

const flagsOf = (model: string, flags: string[]) => [
  ...['similarity', '--model', model, '--dataset', join(EXAMPLES, 'texts.jsonl'), '--layers-to-skip', '1'],
  ...['--dataset-size', '3', '--max-length', '32', '--json', ...flags],
]

const similarity = (model: string, ...flags: string[]) => runProgram(flagsOf(model, flags))

/**
 * A checkpoint of random embeddings, where half of each matrix is a hole in the file, which reads as zero.
 * @returns parameters that each layer computes with
 */
function writeCheckpoint(folder: string, layers: number): number {
  const [hidden, inner, vocabulary] = [1024, 4096, 640]
  const config = JSON.parse(readFileSync(join(EXAMPLES, 'model/config.json'), 'utf8'))
  const sizes = { hidden_size: hidden, intermediate_size: inner, num_hidden_layers: layers, head_dim: 128 }
  const heads = { num_attention_heads: 8, num_key_value_heads: 8, vocab_size: vocabulary }
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, ...sizes, ...heads }))
  for (const file of ['tokenizer.json', 'tokenizer_config.json']) {
    cpSync(join(EXAMPLES, 'model', file), join(folder, file))
  }
  const ofLayer: [string, number[]][] = [
    ['input_layernorm', [hidden]],
    ...['q', 'k', 'v', 'o'].map((part): [string, number[]] => [`self_attn.${part}_proj`, [hidden, hidden]]),
    ['post_attention_layernorm', [hidden]],
    ['mlp.gate_proj', [inner, hidden]],
    ['mlp.up_proj', [inner, hidden]],
    ['mlp.down_proj', [hidden, inner]],
  ]
  const tensors: [string, number[]][] = [
    ['model.embed_tokens.weight', [vocabulary, hidden]],
    ...Array.from({ length: layers }, (_, layer) =>
      ofLayer.map(([name, shape]): [string, number[]] => [`model.layers.${layer}.${name}.weight`, shape]),
    ).flat(),
    ['model.norm.weight', [hidden]],
  ]
  const count = (shape: number[]) => shape.reduce((product, size) => product * size, 1)
  let end = 0
  const header = Object.fromEntries(
    tensors.map(([name, shape]) => {
      const start = end
      end += 2 * count(shape)
      return [name, { dtype: 'BF16', shape, data_offsets: [start, end] }]
    }),
  )
  const json = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  const file = openSync(join(folder, 'model.safetensors'), 'w')
  writeSync(file, Buffer.concat([length, json]))
  ftruncateSync(file, 8 + json.length + end)
  let seed = 1
  for (const [name, shape] of tensors) {
    const numbers = Uint16Array.from({ length: count(shape) / (name.endsWith('_proj.weight') ? 2 : 1) }, () => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
      // a sign and a size about 1 for norms, 0.01 else
      return shape.length === 1 ? 0x3f80 : ((seed >>> 31) << 15) | (0x3c00 + ((seed >>> 16) & 0xff))
    })
    writeSync(
      file,
      new Uint8Array(numbers.buffer),
      0,
      numbers.byteLength,
      8 + json.length + header[name]!.data_offsets[0]!,
    )
  }
  closeSync(file)
  return ofLayer.reduce((sum, [, shape]) => sum + count(shape), 0)
}

describe('weights kept as they are stored', () => {
  const layers = 6
  let folder: string
  let weights: number
  beforeAll(() => {
    folder = makeTempFolder()
    weights = layers * writeCheckpoint(folder, layers)
  })

  // elsewhere than on Linux the memory of other processes cannot be read
  it.skipIf(process.platform !== 'linux')(
    'take half the memory, give the distances of float32, and keep a limit',
    async () => {
      const exact = await runWithPeak(flagsOf(folder, ['--dtype', 'fp32']))
      const stored = await runWithPeak(flagsOf(folder, ['--dtype', 'bf16']))
      const limited = await runWithPeak(flagsOf(folder, ['--dtype', 'bf16', '--max-memory', '500MB']))
      expect(stored.exitCode, stored.stderr).toBe(0)
      expect(stored.stderr).toContain(
        'reading model.safetensors in bf16: weights as they are stored, computed in float32',
      )
      expect(JSON.parse(stored.stdout).model.dtype).toBe('bf16')
      expect(
        largestDifferenceByKey(JSON.parse(stored.stdout).distances, JSON.parse(exact.stdout).distances),
      ).toBeLessThan(1e-6)
      // four bytes a parameter are two less, but for float32 copies of one matrix of each form
      const copies = 4 * 1024 * (1024 + 4096 + 4096)
      expect(exact.peakBytes - stored.peakBytes).toBeGreaterThan(2 * weights - 2 * copies)
      expect(limited.stderr).toMatch(/running [2-6] segments of layers/)
      expect(limited.peakBytes).toBeLessThan(500e6)
      expect(JSON.parse(limited.stdout)).toEqual(JSON.parse(stored.stdout))
    },
  )
})

describe('--dtype of safetensors', () => {
  it.each([
    ['llama', 'bf16', 'fp32'],
    ['falcon', 'bf16', 'fp16'],
    ['bloom', 'fp16', 'bf16'],
  ])('%s: %s is refused, for its matrices are stored in %s', async (name, asked, stored) => {
    const { exitCode, stdout, stderr } = await similarity(family(name), '--dtype', asked)
    expect(exitCode).toBe(1)
    expect(stdout).toBe('')
    expect(stderr).toContain(
      `error: model.safetensors stores its matrices in ${stored}, but --dtype ${asked} was given\nhint: --dtype ${stored}\n`,
    )
  })

  it('says what a folder of graphs has if bf16 is asked for', async () => {
    const { exitCode, stderr } = await similarity(join(FIXTURES, 'onnx/llama'), '--dtype', 'bf16')
    expect(exitCode).toBe(1)
    expect(stderr).toContain('has no bf16 graph; it has fp32, fp16')
  })

  it('keeps runs apart from those in float32', async () => {
    const cwd = makeTempFolder()
    const parts = ['1/similarity.shard-1-of-2.json', '2/similarity.shard-2-of-2.json']
    const shard = (part: string, dtype: string) =>
      similarity(family('bloom'), '--shard', part, '--dtype', dtype, '--output', join(cwd, part[0]!))
    for (const { exitCode, stderr } of [await shard('1/2', 'fp32'), await shard('2/2', 'bf16')]) {
      expect(exitCode, stderr).toBe(0)
    }
    const { exitCode, stderr } = await runProgram(['merge', ...parts], {
      cwd,
    })
    expect(exitCode).toBe(1)
    expect(stderr).toContain('does not belong with 1/similarity.shard-1-of-2.json: --dtype is bf16, there fp32')
  })

  it('is what evaluate and inspect speak of too', async () => {
    const model = join(EXAMPLES, 'model')
    const evaluate = async (dtype: string) => {
      const { stdout, stderr, exitCode } = await runProgram([
        ...['evaluate', '--model', model, '--dataset', join(EXAMPLES, 'texts.jsonl'), '--dataset-size', '4'],
        ...['--max-length', '32', '--drop', '4:8', '--dtype', dtype, '--json'],
      ])
      expect(exitCode, stderr).toBe(0)
      return JSON.parse(stdout)
    }
    const [exact, stored] = [await evaluate('fp32'), await evaluate('bf16')]
    expect(stored.model.dtype).toBe('bf16')
    expect(stored.perplexity / exact.perplexity).toBeCloseTo(1, 6)
    expect(stored.candidates[0].perplexity / exact.candidates[0].perplexity).toBeCloseTo(1, 6)
    const inspect = async (dtype: string) =>
      JSON.parse((await runProgram(['inspect', '--model', model, '--dtype', dtype, '--json'])).stdout)
    const [wide, narrow] = [await inspect('fp32'), await inspect('bf16')]
    expect(narrow.analysis).toMatchObject({ possible: true, dtype: 'bf16' })
    const { attention, mlp } = wide.parameters
    const spared = wide.memory.weightsBytes - narrow.memory.weightsBytes
    expect(spared / (2 * (attention + mlp))).toBeCloseTo(1, 2)
  })
})
