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
  type NodeProto,
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
export function readFloats(decoder: Source, tensor: TensorProto): Promise<Float32Array> {
  const part = { tensor: tensor.name, shape: tensor.dims.map(Number), nodes: [], initializers: [tensor] }
  return computeFloats(decoder, part)
}

/** A tensor that follows from weights alone, and what it is computed from. */
export interface ComputedWeight {
  tensor: string
  shape: number[]
  nodes: NodeProto[]
  initializers: TensorProto[]
  /** Whether its two axes are exchanged. */
  isTransposed?: boolean
}

/** Runs a part of a graph that reads no token. */
export async function computeFloats(
  decoder: Source,
  { tensor, shape, nodes, initializers, isTransposed = false }: ComputedWeight,
): Promise<Float32Array> {
  const ort = await import('onnxruntime-node')
  const cast = isTransposed ? 'values/as_stored' : 'values'
  const last = isTransposed ? [makeNode('Transpose', [cast], ['values'], { perm: [1, 0] })] : []
  const model = createModel({
    irVersion: decoder.model.irVersion,
    opsetImport: decoder.model.opsetImport,
    graph: {
      ...makeGraph({
        name: 'compute_weight',
        node: [...nodes, makeNode('Cast', [tensor], [cast], { to: DataType.FLOAT }), ...last],
        input: [],
        output: [makeValueInfo('values', DataType.FLOAT, isTransposed ? shape.toReversed() : shape)],
      }),
      initializer: initializers,
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
