import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { describeDecoder } from '../../src/builder/build-decoder.js'
import { readModelConfig } from '../../src/checkpoint/config.js'
import { openSafetensors } from '../../src/checkpoint/safetensors.js'
import { readExpression } from '../../src/engine/read-floats.js'
import { openWholeSession } from '../../src/engine/whole-session.js'
import type { Layer } from '../../src/families/description.js'
import type { DecoderGraph } from '../../src/graph/decoder-graph.js'
import { setInlineData } from '../../src/graph/external-data.js'
import { cloneModel, DataType, type GraphProto, makeFloatTensor } from '../../src/graph/onnx.js'
import { ROTATION, rotateStream } from '../../src/graph/rotate-stream.js'
import { findWeightMatrices, type WeightMatrix } from '../../src/graph/weight-products.js'
import { readRotated } from '../../src/int8/make-matrix.js'
import { Rotation } from '../../src/int8/rotation.js'
import { openModel } from '../../src/model.js'
import { listFixtures, ONE_THREAD } from '../support/fixture-model.js'
import { sample } from '../support/long-tests.js'
import { FIXTURES } from '../support/paths.js'

const FAMILIES = join(FIXTURES, 'families')

/** They read the stream in a way that the rotation does not follow: times factors, or beside state 0. */
const NOT_FOLLOWED = ['falcon-h1', 'zamba2']

/** Whether no norm of the stream centres it, no branch is normed before it is added, and no router reads the stream. */
async function canBeRotated(family: string): Promise<boolean> {
  const folder = join(FAMILIES, family)
  const { tensors } = await openSafetensors(folder)
  const { layers, finalNorm, embedding } = describeDecoder(await readModelConfig(folder), tensors)
  const norms = [finalNorm, embedding.norm, ...layers.flatMap((layer) => Object.values(layer.norms))]
  const isPlain = ({ norms, mlp }: Layer) =>
    mlp?.kind !== 'experts' &&
    [norms.afterMixer, norms.afterMlp, norms.streamAfterMixer, norms.streamAfterMlp].every(
      (norm) => norm === null,
    )
  return (
    norms.every((norm) => norm?.kind !== 'layer') && layers.every(isPlain) && !NOT_FOLLOWED.includes(family)
  )
}

describe('the rotation', () => {
  it.each([1, 2, 9, 24, 64, 576])('is orthogonal and full of numbers far from one: %i channels', (size) => {
    const matrix = new Rotation(size).matrix()
    for (let a = 0; a < size; a += Math.ceil(size / 7)) {
      for (let b = 0; b < size; b++) {
        let product = 0
        for (let k = 0; k < size; k++) product += matrix[a * size + k]! * matrix[b * size + k]!
        expect(product).toBeCloseTo(a === b ? 1 : 0, 5)
      }
    }
    const largest = matrix.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    expect(largest * Math.sqrt(size)).toBeLessThan(1.5)
  })

  it('rotates columns as it rotates rows', () => {
    const [size, count] = [24, 37]
    const rotation = new Rotation(size)
    const rows = Float32Array.from({ length: size * count }, (_, index) => Math.sin(index))
    const columns = new Float32Array(rows.length)
    rows.forEach((value, index) => {
      columns[(index % size) * count + Math.floor(index / size)] = value
    })
    rotation.rotateRows(rows)
    rotation.rotateColumns(columns, count)
    rows.forEach((value, index) => {
      expect(columns[(index % size) * count + Math.floor(index / size)]).toBe(value)
    })
  })
})

describe('a decoder with its stream rotated', () => {
  const texts = [
    [5, 9, 17, 3, 11, 30, 12, 8],
    [7, 19, 4],
  ].map((ids) => ({ ids, origin: '' }))
  const asked = texts.map(({ ids }) => ids.map((_, place) => place))

  it.each(sample(listFixtures(), 3))('has the same inner products of states: %s', async (family) => {
    const { decoder, config } = await openModel({ model: join(FAMILIES, family), format: 'safetensors' })
    const measure = async (decoder: DecoderGraph) => {
      const session = await openWholeSession(decoder, config, ONE_THREAD)
      const gram: Float64Array = (await session.measureGrams([{ texts, asked }]).next()).value
      await session.close()
      return gram
    }
    const rotated = rotateStream(decoder)
    expect(rotated !== null).toBe(await canBeRotated(family))
    if (rotated === null) return
    const exact = await measure(decoder)
    const actual = await measure(await rotateWeights(rotated))
    const states = decoder.states.length
    expect(actual.length).toBe(11 * states ** 2)
    const square = states ** 2
    const normAt = (start: number, state: number) => Math.sqrt(exact[start + state * (states + 1)]!)
    const errors = exact.map((product, index) => {
      const start = Math.floor(index / square) * square
      const [a, b] = [Math.floor((index - start) / states), (index - start) % states]
      return Math.abs(actual[index]! - product) / (normAt(start, a) * normAt(start, b))
    })
    expect(Math.max(...errors)).toBeLessThan(1e-5)
  })
})

/** Puts the changed weights into the graph, in float32. */
async function rotateWeights(rotated: NonNullable<ReturnType<typeof rotateStream>>): Promise<DecoderGraph> {
  const { decoder, rotations, hiddenSize } = rotated
  const rotation = new Rotation(hiddenSize)
  const model = cloneModel(decoder.model)
  const graph = model.graph!
  for (const matrix of findWeightMatrices(decoder)) {
    const weights = await readRotated(matrix, rotations.get(matrix.name) ?? null, rotation, readExpression)
    putWeights(graph, matrix, Float32Array.from(weights))
  }
  graph.initializer.push(makeFloatTensor(ROTATION, [hiddenSize, hiddenSize], rotation.matrix()))
  return { ...decoder, model }
}

/** Of a matrix that nodes take from a larger one, the last of them is replaced. */
function putWeights(
  graph: GraphProto,
  { name, inputs, outputs, byOutput }: WeightMatrix,
  weights: Float32Array<ArrayBuffer>,
) {
  const tensor = graph.initializer.find((tensor) => tensor.name === name)
  if (tensor === undefined) {
    graph.node = graph.node.filter(({ output }) => output[0] !== name)
    graph.initializer.push(makeFloatTensor(name, byOutput ? [outputs, inputs] : [inputs, outputs], weights))
    return
  }
  tensor.dataType = DataType.FLOAT
  setInlineData(tensor, new Uint8Array(weights.buffer))
}
