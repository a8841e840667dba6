import * as ort from 'onnxruntime-node'
import { expect, it } from 'vitest'
import {
  createModel,
  DataType,
  MICROSOFT_DOMAIN,
  type ModelProto,
  makeFloatTensor,
  makeGraph,
  makeNode,
  makeValueInfo,
  serializeModel,
} from '../../../src/model/graph/onnx/onnx.js'
import { splitFusedNorms } from '../../../src/model/graph/split-norms.js'
import { largestDifference } from '../../support/largest-difference.js'

const WIDTH = 4

/** A graph with one fused norm of `stream` and `branch`. */
function makeModel(opType: string, parameters: string[], outputs: string[]): ModelProto {
  const input = ['stream', 'branch'].map((name) => makeValueInfo(name, DataType.FLOAT, ['rows', 1, WIDTH]))
  const norm = makeNode(
    opType,
    ['stream', 'branch', ...parameters],
    outputs,
    { epsilon: { float: 1e-3 } },
    MICROSOFT_DOMAIN,
  )
  const named = outputs.filter((name) => name !== '')
  const output = named.map((name) => makeValueInfo(name, DataType.FLOAT, ['rows', 1, WIDTH]))
  const graph = makeGraph({ name: 'norm', node: [norm], input, output })
  graph.initializer = [
    makeFloatTensor('scale', [WIDTH], [0.5, 2, -1, 1]),
    makeFloatTensor('shift', [WIDTH], [0.1, 0, -0.2, 3]),
  ]
  const opsetImport = [
    { domain: '', version: 21n },
    { domain: MICROSOFT_DOMAIN, version: 1n },
  ]
  return createModel({ irVersion: 10n, opsetImport, graph })
}

async function run(model: ModelProto): Promise<Float32Array[]> {
  // without optimisation ONNX Runtime runs the nodes as they are
  const session = await ort.InferenceSession.create(serializeModel(model), {
    graphOptimizationLevel: 'disabled',
  })
  const rows = (values: number[]) => new ort.Tensor('float32', Float32Array.from(values), [2, 1, WIDTH])
  const outputs = await session.run({
    stream: rows([1, -2, 3, 0.25, 0, 0, 1e4, 1]),
    branch: rows([0.5, 0, -4, 8, 0, 1e-3, 1e4, -1]),
  })
  await session.release()
  return model.graph.output.map(({ name }) => outputs[name]!.data as Float32Array)
}

it.each([
  ['SkipSimplifiedLayerNormalization', ['scale'], ['normed', '', '', 'sum']],
  ['SkipSimplifiedLayerNormalization', ['scale'], ['normed']],
  ['SkipLayerNormalization', ['scale', 'shift'], ['normed', '', '', 'sum']],
  ['SkipLayerNormalization', ['scale'], ['normed', '', '', 'sum']],
])('computes what %s of %j and %j computes', async (opType, parameters, outputs) => {
  const fused = makeModel(opType, parameters, outputs)
  const split = splitFusedNorms(fused)
  expect(split.graph.node.map((node) => node.opType)).toEqual(['Add', opType.replace('Skip', '')])
  const [expected, found] = [await run(fused), await run(split)]
  for (const [index, values] of expected.entries()) {
    expect(largestDifference(found[index]!, values)).toBeLessThan(1e-5)
  }
})

it.each([
  ['SkipSimplifiedLayerNormalization', ['scale', 'shift']],
  ['SkipLayerNormalization', ['scale', '', 'shift']],
])('leaves %s with a bias as it is', (opType, parameters) => {
  const { graph } = splitFusedNorms(makeModel(opType, parameters, ['normed']))
  expect(graph.node.map((node) => node.opType)).toEqual([opType])
})

it('leaves norms of 16 bits as they are, which round once', () => {
  const model = makeModel('SkipLayerNormalization', ['scale'], ['normed'])
  model.graph.initializer[0]!.dataType = DataType.FLOAT16
  expect(splitFusedNorms(model).graph.node).toHaveLength(1)
})
