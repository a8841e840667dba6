import { describe, expect, it } from 'vitest'
import {
  chooseWeights,
  type ModelFacts,
  type Purpose,
  type WeightOptions,
} from '../../../src/files/checkpoint/choose-weights.js'

const WEIGHTS = 'model.safetensors'
const GRAPHS = ['onnx/model.onnx', 'onnx/model_fp16.onnx', 'onnx/model_quantized.onnx']

function choose(
  names: string[],
  asked: WeightOptions = {},
  { purpose = 'measure', isKnownFamily = true }: { purpose?: Purpose } & Partial<ModelFacts> = {},
) {
  return chooseWeights({ id: 'org/model', names, family: 'llama', isKnownFamily }, asked, purpose)
}

describe('of safetensors and graphs', () => {
  const both = [WEIGHTS, ...GRAPHS]

  it.each([
    [undefined, 'fp32', 'reading model.safetensors in fp32'],
    ['fp32', 'fp32', 'reading model.safetensors in fp32'],
    ['bf16', 'bf16', 'weights as they are stored, computed in float32'],
    ['q8', 'q8', 'a q8 graph is present too; read it with `format: onnx`'],
  ] as const)('safetensors are measured with the dtype %s', (dtype, computedIn, note) => {
    const choice = choose(both, { dtype })
    expect(choice.weights).toEqual({ format: 'safetensors', file: WEIGHTS, computedIn })
    expect(choice.note).toContain(note)
  })

  it.each([
    [{ dtype: 'fp16' }, GRAPHS[1]],
    [{ format: 'onnx' }, GRAPHS[0]],
    [{ format: 'onnx', dtype: 'q8' }, GRAPHS[2]],
    [{ modelFile: GRAPHS[2] }, GRAPHS[2]],
    [{ modelFile: GRAPHS[0], dtype: 'q8' }, GRAPHS[0]],
  ] as const)('a graph is measured with %j', (asked, file) => {
    expect(choose(both, asked).weights).toMatchObject({ format: 'onnx', file })
  })

  it('the fp16 graph is not taken if safetensors are asked for', () => {
    const asked = { format: 'safetensors', dtype: 'fp16' } as const
    expect(choose(both, asked)).toEqual({
      weights: { format: 'safetensors', file: WEIGHTS, computedIn: 'fp16' },
    })
  })

  it('a model to change is read as it is stored: a dtype other than fp32 names a graph', () => {
    const purpose = 'change'
    expect(choose(both, {}, { purpose }).weights).toMatchObject({ format: 'safetensors', computedIn: 'fp32' })
    expect(choose(both, { dtype: 'q8' }, { purpose }).weights).toMatchObject({ file: GRAPHS[2] })
    expect(() => choose(both, { format: 'safetensors', dtype: 'q8' }, { purpose })).toThrow(
      expect.objectContaining({
        name: 'UsageError',
        message: 'safetensors are computed in fp32, but `dtype: q8` was given',
      }),
    )
  })

  it.each([
    [{ format: 'safetensors', dtype: 'q4' }, '`dtype: q4`'],
    [{ format: 'safetensors', modelFile: GRAPHS[0] }, `\`modelFile: ${GRAPHS[0]}\``],
    [{ modelFile: '../model.onnx' }, 'outside the model folder'],
  ] as const)('%j is refused', (asked, message) => {
    expect(() => choose(both, asked)).toThrow(
      expect.objectContaining({ name: 'UsageError', message: expect.stringContaining(message) }),
    )
  })

  it('a graph is taken for a family that cannot be built, and the note says why', () => {
    const { weights, note } = choose(both, {}, { isKnownFamily: false })
    expect(weights).toEqual({ format: 'onnx', file: GRAPHS[0], others: ['fp16', 'q8'] })
    expect(note).toBe('llama models cannot be read from model.safetensors yet, so a graph is read')
    expect(choose(both, { dtype: 'q8' }, { isKnownFamily: false }).weights).toMatchObject({ file: GRAPHS[2] })
  })
})

describe('of one form', () => {
  it('that form is taken', () => {
    expect(choose([WEIGHTS], { dtype: 'fp16' }).weights).toMatchObject({ format: 'safetensors' })
    expect(choose(['model.safetensors.index.json', 'a.safetensors']).weights).toMatchObject({
      file: 'model.safetensors.index.json',
    })
    expect(choose(GRAPHS.slice(1))).toEqual({ weights: { format: 'onnx', file: GRAPHS[1], others: ['q8'] } })
  })

  it('what is not there is refused, with what is', () => {
    expect(() => choose([WEIGHTS], { dtype: 'q4' })).toThrow('org/model has no .onnx graph')
    expect(() => choose([WEIGHTS], { format: 'onnx' })).toThrow('org/model has no .onnx graph')
    expect(() => choose(GRAPHS, { dtype: 'q4' })).toThrow('no q4 graph; it has fp32, fp16, q8')
    expect(() => choose(GRAPHS.slice(1), { dtype: 'fp32' })).toThrow('no fp32 graph; it has fp16, q8')
  })

  it('a model without weights is left to the reader of safetensors, which says what it has instead', () => {
    expect(choose(['config.json', 'm.gguf'])).toEqual({
      weights: { format: 'safetensors', file: undefined, computedIn: 'fp32' },
    })
  })
})
