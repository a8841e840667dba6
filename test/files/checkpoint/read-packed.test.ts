import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { LayerpruneError } from '../../../src/base/errors.js'
import { openModel } from '../../../src/engine/model.js'
import { readPackedTensors } from '../../../src/files/checkpoint/packed/read-packed.js'
import { openSafetensors } from '../../../src/files/checkpoint/safetensors.js'
import { inspectModel } from '../../../src/jobs/inspect/inspect-model.js'
import { assertFiniteWeights } from '../../../src/model/graph/checks/finite-weights.js'
import { buildFrom } from '../../support/fixture-model.js'
import { FIXTURES } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'
import { readTensors, writeTensors } from '../../support/tensor-file.js'

const PACKED = join(FIXTURES, 'packed')

const BYTES: Record<string, number> = { F64: 8, F32: 4, F16: 2, BF16: 2, I32: 4, U32: 4 }

type Tensors = Record<string, [dtype: string, ...shape: number[]]>

/** What is read of tensors of zeros. */
async function read(config: Record<string, unknown>, tensors: Tensors) {
  const folder = makeTempFolder()
  const stored = Object.entries(tensors).map(([name, [dtype, ...shape]]) => {
    const size = shape.reduce((product, size) => product * size, BYTES[dtype] ?? 1)
    return [name, { dtype, shape, data: Buffer.alloc(size) }] as const
  })
  writeTensors(join(folder, 'model.safetensors'), new Map(stored))
  return readPackedTensors(config, (await openSafetensors(folder)).tensors)
}

describe('readPackedTensors', () => {
  it('takes plain weights as they are, whatever the config says of others', async () => {
    const plain: Tensors = { 'a.weight': ['BF16', 2, 4] }
    for (const config of [{}, { quantization_config: null }]) {
      const { tensors, form } = await read(config, plain)
      expect(form).toBeNull()
      expect(tensors.get('a.weight')!.expression).toBeUndefined()
    }
  })

  it('takes float64', async () => {
    const { tensors, form } = await read({}, { a: ['F64', 3] })
    expect(form).toBe('float64')
    expect(tensors.get('a')).toMatchObject({ shape: [3], expression: { kind: 'stored' } })
  })

  const fp8 = { quantization_config: { quant_method: 'fp8', weight_block_size: [2, 2] } }
  it.each<[string, Record<string, unknown>, Tensors, RegExp]>([
    ['an unknown method', { quantization_config: { quant_method: 'aqlm' } }, {}, /quantization_config "aqlm"/],
    ['settings without a method', { quantization: { a: 1 } }, {}, /quantization of the keys "a"/],
    ['settings that are no object', { quantization_config: 'fp8' }, {}, /quantization_config "fp8"/],
    [
      '8-bit floats without settings',
      {},
      { 'a.weight': ['F8_E4M3', 2, 4] },
      /does not say how .* "a.weight" is of F8_E4M3/,
    ],
    [
      'quanto',
      {},
      { 'a.weight._data': ['I8', 2, 4], 'a.weight._scale': ['F32', 2, 1] },
      /"a.weight._data" is of quanto/,
    ],
    ['HQQ', {}, { 'a.W_q': ['U8', 2, 4] }, /"a.W_q" is of hqq/],
    ['EETQ', {}, { 'a.weight': ['I8', 2, 4], 'a.weight_scales': ['F16', 4] }, /"a.weight_scales" is of eetq/],
    ['GPTQ without settings', {}, { 'a.qweight': ['I32', 2, 4] }, /"a.qweight" is of gptq or awq/],
    ['8-bit floats without scales', fp8, { 'a.weight': ['F8_E4M3', 2, 4] }, /8-bit float without scales/],
    [
      'scales of other blocks',
      fp8,
      { 'a.weight': ['F8_E4M3', 4, 4], 'a.weight_scale_inv': ['F32', 3, 2] },
      /"a.weight_scale_inv" has the shape \[3, 2\], expected scales for blocks of 2 x 2 of \[4, 4\]/,
    ],
    [
      'blocks that are no sizes',
      { quantization_config: { quant_method: 'fp8', weight_block_size: [2, 0] } },
      {},
      /weight_block_size "\[2,0\]"/,
    ],
    [
      'GPTQ in 3 bits',
      { quantization_config: { quant_method: 'gptq', bits: 3 } },
      { 'a.qweight': ['I32', 6, 32], 'a.scales': ['F16', 2, 32], 'a.qzeros': ['I32', 2, 3] },
      /is of GPTQ with 3 bits/,
    ],
    [
      'GPTQ for a kernel',
      { quantization_config: { quant_method: 'gptq', checkpoint_format: 'marlin' } },
      {},
      /checkpoint_format of GPTQ is "marlin"/,
    ],
    [
      'AWQ for a kernel',
      { quantization_config: { quant_method: 'awq', version: 'gemv' } },
      {},
      /version of AWQ is "gemv"/,
    ],
    [
      'groups that do not divide the inputs',
      { quantization_config: { quant_method: 'awq' } },
      { 'a.qweight': ['I32', 32, 4], 'a.scales': ['F16', 3, 32], 'a.qzeros': ['I32', 3, 4] },
      /has 3 groups, which do not divide 32 inputs/,
    ],
    [
      'rotated inputs',
      {
        quantization_config: { quant_method: 'compressed-tensors', transform_config: { config_groups: {} } },
      },
      {},
      /inputs are rotated/,
    ],
    [
      'sparse weights',
      {
        quantization_config: {
          quant_method: 'compressed-tensors',
          sparsity_config: { format: 'sparse-24-bitmask' },
        },
      },
      {},
      /sparse weights, "sparse-24-bitmask"/,
    ],
    [
      'an unknown mode of MLX',
      { quantization: { group_size: 32, bits: 4, mode: 'ternary' } },
      { 'a.weight': ['U32', 2, 4], 'a.scales': ['F16', 2, 1] },
      /mode of MLX is "ternary"/,
    ],
    [
      'bitsandbytes without its state',
      { quantization_config: { load_in_4bit: true } },
      { 'a.weight': ['U8', 32, 1], 'a.weight.absmax': ['F32', 1], 'a.weight.quant_map': ['F32', 16] },
      /"a.weight" has no quant_state/,
    ],
  ])('refuses %s', async (_, config, tensors, message) => {
    const error = await read(config, tensors).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(LayerpruneError)
    expect((error as LayerpruneError).message).toMatch(message)
    expect((error as LayerpruneError).hint).toBeTruthy()
  })
})

/** Codes, and for each group of 32 a scale, and a zero point if there is one. */
const BITS: Record<string, number> = {
  awq: 4 + (16 + 4) / 32,
  gptq: 4 + (16 + 4) / 32,
  'gptq-8bit': 8 + (16 + 8) / 32,
  'ct-w4a16': 4 + 32 / 32,
  'mlx-6bit': 6 + (32 + 32) / 32,
  'mlx-mxfp4': 4 + 8 / 32,
}

describe('a packed model', () => {
  it.each(readdirSync(PACKED))('is described: %s', async (name) => {
    const { analysis, parameters } = await inspectModel({ model: join(PACKED, name) })
    const packing = { form: expect.any(String), bits: BITS[name] ?? expect.any(Number) }
    expect(analysis).toMatchObject({ possible: true, packing })
    const isOfExperts = name === 'mxfp4-experts'
    expect(parameters!.other).toBe(0)
    if (!isOfExperts)
      expect(parameters!.total).toBe(300 * 64 + 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 96 + 128) + 64)
  })

  it('says what it is stored in, and what of its config is ignored', async () => {
    const notes: string[] = []
    const open = (name: string) => openModel({ model: join(PACKED, name), onNote: (note) => notes.push(note) })
    await open('modelopt-fp8')
    expect(notes.slice(1)).toEqual([
      'the weights of model.safetensors are fp8, 8.01 bits each: they are decoded in each run',
      'config.json also quantises activations and the key-value cache, which is ignored: the numbers are those of the weights',
    ])
    notes.length = 0
    await open('ct-w4a16')
    expect(notes.slice(1)).toEqual([expect.stringContaining('compressed-tensors pack-quantized, 5 bits each')])
  })

  it('is computed in float32, whatever 16-bit type its other weights have', async () => {
    const opened = openModel({ model: join(PACKED, 'awq'), dtype: 'fp16' })
    await expect(opened).rejects.toMatchObject({
      message: 'model.safetensors stores its matrices in awq 4-bit, but `dtype: fp16` was given',
      hint: expect.stringContaining('omit `dtype`'),
    })
  })

  /** A copy of a model in which some bytes of a tensor are others. */
  function damage(name: string, tensor: string, bytes: number[]): string {
    const folder = makeTempFolder()
    const tensors = readTensors(join(PACKED, name, 'model.safetensors'))
    Buffer.from(bytes).copy(tensors.get(tensor)!.data, 0)
    writeTensors(join(folder, 'model.safetensors'), tensors)
    writeFileSync(join(folder, 'config.json'), JSON.stringify(readJson(name)))
    return folder
  }

  const NAN_F32 = [0, 0, 0xc0, 0x7f]
  const NAN_F16 = [0, 0x7e]
  it.each([
    ['fp8-blocks', 'model.layers.0.mlp.up_proj.weight', [0x7f], 'NaN'],
    ['fp8-blocks', 'model.layers.0.mlp.up_proj.weight_scale_inv', NAN_F32, 'NaN'],
    ['gptq', 'model.layers.1.mlp.up_proj.scales', NAN_F16, 'NaN'],
    ['bnb-nf4', 'model.layers.1.mlp.up_proj.weight.absmax', NAN_F32, 'NaN'],
    ['mlx-mxfp4', 'model.layers.1.mlp.up_proj.scales', [0xff], 'NaN'],
  ])('of %s with a number in %s that is not finite is refused', async (name, tensor, bytes, value) => {
    const { decoder } = await buildFrom(damage(name, tensor, bytes))
    const message = `tensor ${tensor} at [0${/absmax/.test(tensor) ? '' : ', 0'}]: expected a finite number, found ${value}`
    await expect(assertFiniteWeights(decoder)).rejects.toThrow(message)
  })

  it('of sound numbers is taken, though codes look like anything', async () => {
    for (const name of ['gptq', 'bnb-int8', 'mlx-4bit']) {
      await assertFiniteWeights((await buildFrom(join(PACKED, name))).decoder)
    }
  })
})

function readJson(name: string): unknown {
  return JSON.parse(readFileSync(join(PACKED, name, 'config.json'), 'utf8'))
}

describe('numbers that say how packed weights are read', () => {
  /** Changes the whole numbers of one tensor of a fixture. */
  function change(fixture: string, name: string, changed: (numbers: number[]) => number[]): string {
    const folder = makeTempFolder()
    const tensors = readTensors(join(PACKED, fixture, 'model.safetensors'))
    const { dtype, shape, data } = tensors.get(name)!
    const size = dtype === 'I64' ? 8 : 4
    const numbers = Array.from({ length: data.length / size }, (_, i) => data.readInt32LE(size * i))
    const bytes = Buffer.alloc(data.length)
    for (const [i, number] of changed(numbers).entries()) {
      if (size === 8) bytes.writeBigInt64LE(BigInt(number), 8 * i)
      else bytes.writeInt32LE(number, 4 * i)
    }
    writeTensors(join(folder, 'model.safetensors'), new Map([...tensors, [name, { dtype, shape, data: bytes }]]))
    return folder
  }
  const read = async (fixture: string, folder: string) =>
    readPackedTensors(
      JSON.parse(readFileSync(join(PACKED, fixture, 'config.json'), 'utf8')),
      (await openSafetensors(folder)).tensors,
    )
  const MODULE = 'model.layers.1.mlp.up_proj'

  it.each<[what: string, fixture: string, tensor: string, changed: (numbers: number[]) => number[], problem: RegExp]>([
    [
      'no group',
      'gptq-reordered',
      'g_idx',
      ([_, ...rest]) => [-1, ...rest],
      /has -1 for input 0, expected a group from 0/,
    ],
    [
      'a group too many',
      'gptq-reordered',
      'g_idx',
      ([_, ...rest]) => [99, ...rest],
      /has 99 for input 0, expected a group/,
    ],
    ['another order', 'gptq', 'g_idx', (all) => all.toReversed(), /for input 0, expected 0, as desc_act is false/],
    ['another shape', 'ct-w4a16', 'weight_shape', ([rows, columns]) => [columns!, rows! + 1], /its weight has \[/],
  ])('are refused if they name %s', async (_, fixture, tensor, changed, problem) => {
    await expect(read(fixture, change(fixture, `${MODULE}.${tensor}`, changed))).rejects.toThrow(problem)
  })
})
