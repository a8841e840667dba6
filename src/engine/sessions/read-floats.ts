import { dirname } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { TensorProtoSchema } from 'onnx-buf'
import { listParts, type WeightExpression } from '../../files/checkpoint/weight-expression.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { commonFolder } from '../../model/graph/onnx/external-data.js'
import {
  createModel,
  DataLocation,
  DataType,
  makeGraph,
  makeNode,
  makeValueInfo,
  serializeModel,
  type TensorProto,
} from '../../model/graph/onnx/onnx.js'
import { unpackWeights } from '../../model/unpack/unpack-weights.js'

const IR_VERSION = 10n
const OPSETS = [{ domain: '', version: 21n }]

type Source = Pick<DecoderGraph, 'weightsFolder' | 'packed'> & {
  model: Pick<DecoderGraph['model'], 'irVersion' | 'opsetImport'>
}

/** The values of a weight, wherever and however they are stored; ONNX Runtime reads and converts them. */
export async function readFloats(decoder: Source, tensor: TensorProto): Promise<Float32Array> {
  const ort = await import('onnxruntime-node')
  const model = createModel({
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
  const runnable = unpackWeights({ ...decoder, model, states: [] }).model
  const session = await ort.InferenceSession.create(serializeModel(runnable), {
    // once run, folded constants would not be read again
    graphOptimizationLevel: 'disabled',
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

export function readExpression(expression: WeightExpression): Promise<Float32Array> {
  const folders = listParts(expression).map(({ part }) => dirname(part.file))
  const tensor = create(TensorProtoSchema, {
    name: 'packed_weight',
    dataType: DataType.FLOAT,
    dims: expression.shape.map(BigInt),
    dataLocation: DataLocation.EXTERNAL,
  })
  const source = {
    model: { irVersion: IR_VERSION, opsetImport: OPSETS as DecoderGraph['model']['opsetImport'] },
    weightsFolder: commonFolder(folders) ?? '',
    packed: new Map([[tensor.name, expression]]),
  }
  return readFloats(source, tensor)
}
