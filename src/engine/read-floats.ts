import { create } from '@bufbuild/protobuf'
import { ModelProtoSchema } from 'onnx-buf'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import {
  DataType,
  makeGraph,
  makeNode,
  makeValueInfo,
  serializeModel,
  type TensorProto,
} from '../graph/onnx.js'

/** The values of a weight, wherever they are stored; ONNX Runtime reads and converts them. */
export async function readFloats(decoder: DecoderGraph, tensor: TensorProto): Promise<Float32Array> {
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
