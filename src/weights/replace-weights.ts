import { create } from '@bufbuild/protobuf'
import { ModelProtoSchema } from 'onnx-buf'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import { FLOAT_DTYPES } from '../graph/element-types.js'
import { setInlineData } from '../graph/external-data.js'
import {
  cloneModel,
  DataType,
  makeGraph,
  makeNode,
  makeValueInfo,
  serializeModel,
  type TensorProto,
} from '../graph/onnx.js'
import { encodeFloats } from './encode-floats.js'
import type { Replacement } from '../prune/safetensors-files.js'
import type { WeightChange } from '../repair/fit-layer.js'

/**
 * The weights of products that are changed, whole, in float32 and in the shapes in which they are stored.
 * @returns by their names in the graph, which for a graph built from safetensors are those of its tensors
 */
export async function makeReplacements(
  decoder: DecoderGraph,
  changes: Pick<WeightChange, 'product' | 'values'>[],
): Promise<Map<string, Replacement>> {
  const replacements = new Map<string, Replacement>()
  for (const { product, values } of changes) {
    const { weight, bias, inputs, outputs, outputsFirst } = product
    const matrix = await readFloats(decoder, weight)
    for (let input = 0; input < inputs; input++) {
      for (let output = 0; output < outputs; output++) {
        const place = outputsFirst ? output * inputs + input : input * outputs + output
        matrix[place]! += values[input * outputs + output]!
      }
    }
    replacements.set(weight.name, { shape: weight.dims.map(Number), data: matrix })
    if (bias === null) continue
    const vector = await readFloats(decoder, bias)
    for (let output = 0; output < outputs; output++) vector[output]! += values[inputs * outputs + output]!
    replacements.set(bias.name, { shape: [outputs], data: vector })
  }
  return replacements
}

/**
 * A decoder with other values in some of its weights, rounded to the types in which these are stored: what a
 * checkpoint with the same replacements holds.
 * @returns a new graph; the given one is not changed
 */
export function replaceWeights(
  decoder: DecoderGraph,
  replacements: ReadonlyMap<string, Replacement>,
): DecoderGraph {
  const model = cloneModel(decoder.model)
  for (const tensor of model.graph!.initializer) {
    const replacement = replacements.get(tensor.name)
    if (replacement === undefined) continue
    const dtype = FLOAT_DTYPES.get(tensor.dataType)!
    setInlineData(tensor, new Uint8Array(encodeFloats(replacement.data, { name: tensor.name, dtype })))
    tensor.floatData = []
    tensor.int32Data = []
  }
  return { ...decoder, model }
}

/** The values of a weight, wherever they lie; ONNX Runtime reads and converts them. */
async function readFloats(decoder: DecoderGraph, tensor: TensorProto): Promise<Float32Array> {
  const ort = await import('onnxruntime-node')
  const model = create(ModelProtoSchema, {
    irVersion: decoder.model.irVersion,
    opsetImport: decoder.model.opsetImport,
    graph: {
      ...makeGraph({
        name: 'read_weight',
        node: [makeNode('Cast', [tensor.name], ['values'], { to: DataType.FLOAT })],
        input: [],
        output: [makeValueInfo('values', DataType.FLOAT, tensor.dims.map(Number))],
      }),
      initializer: [tensor],
    },
  })
  const session = await ort.InferenceSession.create(serializeModel(model), {
    enableCpuMemArena: false,
    extra: { session: { model_external_initializers_file_folder_path: decoder.weightsFolder } },
  })
  try {
    const { values } = await session.run({})
    return Float32Array.from(values!.data as Float32Array)
  } finally {
    await session.release()
  }
}
