import { cpSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { describeQuantized } from '../../../src/engine/int8/quantize-decoder.js'
import { roundMatrix } from '../../../src/engine/int8/round-matrix.js'
import { openModel, prepareModel } from '../../../src/engine/model.js'
import { decodeFloats } from '../../../src/files/weights/decode-floats.js'
import { inspectModel, measureSimilarity } from '../../../src/index.js'
import { countParameters } from '../../../src/jobs/run/parameters.js'
import { findWeightMatrices } from '../../../src/model/graph/int8/weight-products.js'
import type { GraphProto } from '../../../src/model/graph/onnx/onnx.js'
import { tapStates } from '../../../src/model/graph/tap.js'
import { measureTexts, readReference } from '../../support/fixture-model.js'
import { largestDifference } from '../../support/largest-difference.js'
import { LONG_TESTS } from '../../support/long-tests.js'
import { EXAMPLES, FIXTURES, TEXTS } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'
import { readTensors, writeTensors } from '../../support/tensor-file.js'

const home = makeTempFolder()
vi.stubEnv('HF_HOME', home)
afterAll(() => {
  vi.unstubAllEnvs()
})

const cached = () =>
  readdirSync(join(home, 'layerprune'))
    .filter((name) => name.endsWith('.int8'))
    .map((name) => join(home, 'layerprune', name))

/** The graph of a family's fixture in int8. */
async function quantize(name: string): Promise<GraphProto> {
  const { decoder } = await openModel({ model: join(FIXTURES, 'families', name), format: 'safetensors' })
  return describeQuantized(decoder).model.graph
}

describe('weights in 8 bits', () => {
  it.each([true, false])('are rounded output by output, stored by output: %s', (byOutput) => {
    const rows = [
      [1, -2, 0.5],
      [0, 0, 0],
    ]
    const byInput = rows[0]!.flatMap((_, input) => rows.map((row) => row[input]!))
    const weights = Float32Array.from(byOutput ? rows.flat() : byInput)
    const form = { inputs: 3, outputs: 2, byOutput }
    const { values, residuals, scales } = roundMatrix(weights, { ...form, keepsResiduals: true })
    expect([...scales]).toEqual([Math.fround(2 / 127), 0])
    expect([...values]).toEqual([64, 0, -127, 0, 32, 0])
    // 63.5 and 31.75 steps
    expect([...residuals!]).toEqual([-127, 0, 0, 0, -63, 0])
    expect(roundMatrix(weights, { ...form, keepsResiduals: false }).residuals).toBe(null)
  })

  it('are read from float16 and bfloat16 exactly', () => {
    const bytes = (bits: number[]) => new Uint8Array(Uint16Array.from(bits).buffer)
    expect([...decodeFloats(bytes([0x3c00, 0xc000, 0x0001, 0x7bff, 0xfc00]), 'F16')]).toEqual([
      ...[1, -2, 2 ** -24, 65504],
      -Infinity,
    ])
    expect([...decodeFloats(bytes([0x3f80, 0xc000, 0x3e20]), 'BF16')]).toEqual([1, -2, 0.15625])
  })
})

describe('the rates of linear attention', () => {
  it.each([
    ['qwen3-5', ['in_proj_a', 'in_proj_b'], ['in_proj_qkv', 'in_proj_z', 'out_proj']],
    ['qwen3-next', ['in_proj_ba'], ['in_proj_qkvz', 'out_proj']],
    ['kimi-linear', ['f_a_proj', 'f_b_proj', 'b_proj'], ['g_a_proj', 'g_b_proj', 'o_proj']],
  ])('of %s keep the residuals of tokens and weights', async (name, rates, others) => {
    const graph = await quantize(name)
    const residuals = graph.initializer.map(({ name }) => name).filter((name) => name.endsWith('.residuals'))
    const multiplied = new Set(
      graph.node.filter(({ output }) => output[0]!.includes('token_residuals')).map(({ input }) => input[1]!),
    )
    for (const module of rates) {
      expect(
        residuals.some((name) => name.includes(`.${module}.`)),
        module,
      ).toBe(true)
      expect(
        [...multiplied].some((name) => name.includes(`.${module}.`)),
        module,
      ).toBe(true)
    }
    for (const module of others) {
      expect(
        residuals.some((name) => name.includes(`.${module}.`)),
        module,
      ).toBe(false)
    }
  })
})

describe('the values of attention', () => {
  it.each([
    // heads of 8, and with a bias behind the values, a norm of them, a gate of their means
    ['llama', true],
    ['qwen2', false],
    ['gemma4', false],
    ['qwen3-next', false],
  ])('of %s come rotated to what reads their means: %s', async (name, isExpected) => {
    const graph = await quantize(name)
    const outputs = graph.node.filter(({ input }) => /o_proj.*int8$/.test(input[1] ?? ''))
    expect(outputs.length).toBeGreaterThan(0)
    const areRotatedHere = outputs.map(({ input }) => input[0]!.includes('rotated_by'))
    expect(areRotatedHere).toContain(!isExpected)
    expect(new Set(areRotatedHere).size).toBe(1)
  })
})

describe('the scales of tokens', () => {
  it.each([
    ['llama', true],
    ['phi3-longrope', true],
    // with a bias, with a norm of queries and keys, with some channels that are not rotated
    ['qwen2', false],
    ['qwen3', false],
    ['gpt-neox', false],
  ])('of queries and keys of %s are in the cosines and sines: %s', async (name, isExpected) => {
    const graph = await quantize(name)
    const ropes = graph.node.filter(({ opType }) => opType === 'RotaryEmbedding')
    expect(ropes.length).toBeGreaterThan(0)
    for (const { input } of ropes) {
      expect(input[0]!.includes('product_of_values')).toBe(isExpected)
      for (const table of input.slice(2)) expect(table.includes('int8.scale/')).toBe(isExpected)
    }
  })
})

describe('--dtype q8 from safetensors', () => {
  const measure = (
    dtype: 'fp32' | 'q8',
    onNote?: (message: string) => void,
    { model = join(EXAMPLES, 'model'), ...options }: { maxMemory?: number; model?: string; datasetSize?: number } = {},
  ) =>
    measureSimilarity({
      model,
      dataset: join(EXAMPLES, 'texts.jsonl'),
      datasetSize: 4,
      layersToSkip: 4,
      format: 'safetensors',
      dtype,
      onNote,
      ...options,
    })

  it('gives the distances of float32 to a thousandth, and every best block', async () => {
    const options = { datasetSize: LONG_TESTS ? 60 : 30 }
    const exact = await measure('fp32', undefined, options)
    const rounded = await measure('q8', undefined, options)
    expect(rounded.model.dtype).toBe('q8')
    for (const [n, row] of Object.entries(exact.distances)) {
      const other = rounded.distances[n]!
      const difference = largestDifference(row, other)
      expect(difference, `n = ${n}`).toBeLessThan(1e-3)
      expect(difference, `n = ${n}`).toBeGreaterThan(0)
      expect(other.indexOf(Math.min(...other)), `n = ${n}`).toBe(row.indexOf(Math.min(...row)))
    }
  })

  const open = async (dtype: 'fp32' | 'q8') =>
    prepareModel(await openModel({ model: join(EXAMPLES, 'model'), format: 'safetensors', dtype }))

  it('has the parameters of float32, what rounding leaves over not counted', async () => {
    const exact = countParameters((await open('fp32')).decoder)
    const rounded = countParameters((await open('q8')).decoder)
    expect(rounded.attention).toBe(exact.attention)
    expect(rounded.mlp).toBe(exact.mlp)
    expect(rounded.other).toBe(exact.other)
  })

  it('computes the last layer after its attention at the asked tokens only', async () => {
    const { model } = tapStates((await open('q8')).decoder)
    const gathered = model.graph!.node.filter(({ output }) => output[0]!.endsWith('/asked'))
    expect(gathered.map(({ input }) => input[0])).toEqual([expect.stringContaining('layers.11.attention')])
  })

  it('gives the same within a limit of memory', async () => {
    const [whole, limited] = [await measure('q8'), await measure('q8', undefined, { maxMemory: 4e9 })]
    expect(limited.distances).toEqual(whole.distances)
  })

  it('makes the weights once, and again if their file is incomplete', async () => {
    const first: string[] = []
    await measure('q8', (note) => first.push(note))
    expect(first.join()).not.toContain('making')
    const [path, ...others] = cached()
    expect(others).toEqual([])
    const bytes = readFileSync(path!)
    writeFileSync(path!, bytes.subarray(0, 100))
    const second: string[] = []
    await measure('q8', (note) => second.push(note))
    expect(second.join()).toMatch(/making .* of int8 weights, once/)
    expect(readFileSync(path!).equals(bytes)).toBe(true)
    expect(statSync(path!).size).toBeGreaterThan(0)
    expect(cached()).toEqual([path])
  })

  it('makes the weights again if a byte of them changed, even if the file has its old time', async () => {
    const sound = await measure('q8')
    const [path] = cached()
    const { atime, mtime } = statSync(path!)
    const bytes = readFileSync(path!)
    const changed = Buffer.from(bytes)
    changed[1000]! ^= 0x40
    writeFileSync(path!, changed)
    utimesSync(path!, atime, mtime)
    const notes: string[] = []
    const { distances } = await measure('q8', (note) => notes.push(note))
    expect(notes.join()).toContain('making')
    expect(distances).toEqual(sound.distances)
    expect(readFileSync(path!).equals(bytes)).toBe(true)
  })

  it('removes what a killed process left a day ago, and nothing younger', async () => {
    const folder = join(home, 'layerprune')
    const [old, young] = [join(folder, '.0123.tmp'), join(folder, '.4567.tmp')]
    for (const path of [old, young]) writeFileSync(path, 'half')
    const [yesterday, today] = [25, 23].map((hours) => Date.now() / 1000 - hours * 3600)
    utimesSync(old, yesterday!, yesterday!)
    utimesSync(young, today!, today!)
    await open('q8')
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual(['.4567.tmp'])
    rmSync(young)
  })

  const copyLlama = () => {
    const model = join(makeTempFolder(), 'llama')
    cpSync(join(FIXTURES, 'families/llama'), model, { recursive: true })
    return model
  }

  it('stops on the states that are not finite in float32, also if NaN comes after other numbers', async () => {
    const model = copyLlama()
    const path = join(model, 'model.safetensors')
    const tensors = readTensors(path)
    const { data, shape } = tensors.get('model.layers.1.mlp.gate_proj.weight')!
    const large = Float32Array.from({ length: 8 * shape[1]! }, (_, index) => (index % 2 === 0 ? -1e38 : 1e38))
    data.set(new Uint8Array(large.buffer), data.length - large.byteLength)
    writeTensors(path, tensors)
    const run = (dtype: 'fp32' | 'q8') =>
      measureSimilarity({ model, dataset: TEXTS, layersToSkip: 1, format: 'safetensors', dtype })
    await expect(run('fp32')).rejects.toThrow('state 2 is not finite (the input of layer 2)')
    await expect(run('q8')).rejects.toThrow('state 2 is not finite (the input of layer 2)')
  })

  it.each(['gptq', 'mlx-4bit', 'fp8-blocks'])('rounds the numbers that packed weights stand for: %s', async (name) => {
    const folder = join(FIXTURES, 'packed', name)
    const { texts, all } = readReference(folder)
    const model = await prepareModel(await openModel({ model: folder, dtype: 'q8' }))
    const distances = await measureTexts(model, texts, name)
    expect(largestDifference(distances, Object.values(all).flat())).toBeLessThan(0.01)
    const before = cached()
    await prepareModel(await openModel({ model: folder, dtype: 'q8' }))
    expect(cached()).toEqual(before)
  })

  it('refuses weights that are too large once they are rotated', async () => {
    const model = copyLlama()
    const path = join(model, 'model.safetensors')
    const tensors = readTensors(path)
    const { data, shape } = tensors.get('model.layers.2.self_attn.q_proj.weight')!
    const [, width] = shape as [number, number]
    data.set(new Uint8Array(new Float32Array(width).fill(3e38).buffer))
    writeTensors(path, tensors)
    const before = cached()
    const opened = await openModel({ model, format: 'safetensors', dtype: 'q8' })
    await expect(prepareModel(opened)).rejects.toThrow(
      'tensor model.layers.2.self_attn.q_proj.weight: the weights of output 0 are too large',
    )
    expect(cached()).toEqual(before)
  })

  it('knows the weights by what is in their file, wherever it lies', async () => {
    const model = join(makeTempFolder(), 'copy')
    cpSync(join(EXAMPLES, 'model'), model, { recursive: true })
    const before = cached()
    const notes: string[] = []
    await measure('q8', (note) => notes.push(note), { model })
    expect(notes.join()).not.toContain('making')
    const path = join(model, 'model.safetensors')
    const { atime, mtime } = statSync(path)
    const bytes = readFileSync(path)
    const last = bytes.length - 1
    bytes[last] = bytes[last]! ^ 1
    writeFileSync(path, bytes)
    utimesSync(path, atime, mtime)
    await measure('q8', (note) => notes.push(note), { model })
    expect(notes.join()).toContain('making')
    expect(cached().length).toBe(before.length + 1)
  })

  it.each([
    ...['gemma', 'granite-bias', 'llama', 'phi3', 'qwen2', 'smollm3'],
    ...['bloom', 'falcon', 'gemma2', 'gpt-bigcode', 'gpt-neox', 'gpt2', 'mixtral', 'opt', 'phi'],
    ...['qwen3-moe', 'starcoder2'],
  ])('rounds the matrices of %s, those of queries, keys and values that share one too', async (family) => {
    const options = { model: join(FIXTURES, 'families', family), format: 'safetensors' as const }
    const { decoder } = await openModel(options)
    const counts = findWeightMatrices(decoder).map(({ inputs, outputs }) => inputs * outputs)
    const sizes = (await inspectModel(options)).parameters!
    const rest = sizes.attention + sizes.mlp - counts.reduce((sum, count) => sum + count, 0)
    // what is left are biases, norms and what chooses experts
    expect(rest / (sizes.attention + sizes.mlp)).toBeLessThan(0.04)
  })
})
