/**
 * ONNX graphs as plain data: the protobuf messages of onnx.proto (IR version 13, through `onnx-buf`) and the
 * few constructors that the rest of the code needs to write nodes and small tensors.
 */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type ModelProto as ParsedModel,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProto_DataType,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from 'onnx-buf'

export type { GraphProto, NodeProto, ParsedModel, TensorProto, ValueInfoProto }
export { TensorProto_DataLocation as DataLocation, TensorProto_DataType as DataType }

/** A model with its graph, which the protobuf type makes optional. */
export interface ModelProto extends ParsedModel {
  graph: GraphProto
}

/** Domain of ONNX Runtime's fused operators. */
export const MICROSOFT_DOMAIN = 'com.microsoft'

/** Names of the dimensions of a built graph's inputs. */
export const BATCH = 'batch'
export const TOKENS = 'tokens'

/** Reads a serialised model; raw tensor data stays a view of `bytes`. Throws if the bytes are not protobuf. */
export function parseModel(bytes: Uint8Array): ParsedModel {
  return fromBinary(ModelProtoSchema, bytes)
}

/** Serialises a model; throws over protobuf's limit of 2 GiB, so weights must be external by then. */
export function serializeModel(model: ParsedModel): Uint8Array {
  return toBinary(ModelProtoSchema, model)
}

export function createModel(init: MessageInitShape<typeof ModelProtoSchema> & { graph: object }): ModelProto {
  return create(ModelProtoSchema, init) as ModelProto
}

/** Makes a model of a graph of default operators only. */
export function createOwnModel(graph: GraphProto): ModelProto {
  return createModel({ irVersion: 10n, opsetImport: [{ domain: '', version: 21n }], graph })
}

/** An integer attribute of a node; undefined if the node does not state it. */
export function readInteger({ attribute }: NodeProto, name: string): number | undefined {
  const held = attribute.find((candidate) => candidate.name === name)
  return held && Number(held.i)
}

/** The version of the default operators that a model uses; 0 if it does not say. */
export function opsetOf({ opsetImport }: ParsedModel): number {
  return Number(opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version ?? 0)
}

/** A copy that can be edited without touching the original. */
export function cloneModel(model: ModelProto): ModelProto {
  return copyDeep(model)
}

/** A message with some of its fields replaced; the others are shared with the original. */
export function copyMessage<T extends object>(message: T, changes: Partial<T>): T {
  return Object.assign(Object.create(Object.getPrototypeOf(message)), message, changes)
}

/** A copy of a node, its subgraphs included. */
export function cloneNode(node: NodeProto): NodeProto {
  return copyDeep(node)
}

/** Messages are plain data with defaults in the prototype, so this is faster than the library's schema-driven `clone`. */
function copyDeep<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return value.slice() as T & Uint8Array
  if (Array.isArray(value)) return value.map(copyDeep) as T & unknown[]
  const copy = Object.create(Object.getPrototypeOf(value))
  for (const key of Object.keys(value)) copy[key] = copyDeep(value[key as keyof T])
  return copy
}

type AttributeValue = number | string | number[] | { float: number } | { graph: GraphProto }

/** A node of the default domain, or of `domain`. Number attributes are integers; `{ float: x }` makes a float. */
export function makeNode(
  opType: string,
  input: string[],
  output: string[],
  attributes: Record<string, AttributeValue> = {},
  domain = '',
): NodeProto {
  return create(NodeProtoSchema, {
    name: output.find((name) => name !== '') ?? opType,
    opType,
    domain,
    input,
    output,
    attribute: Object.entries(attributes).map(([name, value]) => makeAttribute(name, value)),
  })
}

function makeAttribute(name: string, value: AttributeValue): AttributeProto {
  const type = AttributeProto_AttributeType
  if (typeof value === 'number') {
    return create(AttributeProtoSchema, { name, type: type.INT, i: BigInt(value) })
  }
  if (typeof value === 'string') {
    return create(AttributeProtoSchema, { name, type: type.STRING, s: new TextEncoder().encode(value) })
  }
  if (Array.isArray(value)) {
    return create(AttributeProtoSchema, { name, type: type.INTS, ints: value.map(BigInt) })
  }
  if ('float' in value) {
    return create(AttributeProtoSchema, { name, type: type.FLOAT, f: value.float })
  }
  return create(AttributeProtoSchema, { name, type: type.GRAPH, g: value.graph })
}

export function makeGraph(parts: {
  name: string
  node: NodeProto[]
  input: ValueInfoProto[]
  output: ValueInfoProto[]
}): GraphProto {
  return create(GraphProtoSchema, parts)
}

/**
 * Graph input or output.
 * @param shape  unknown dimensions are strings; omit it if the rank is unknown
 */
export function makeValueInfo(
  name: string,
  elemType: TensorProto_DataType,
  shape?: (number | string)[],
): ValueInfoProto {
  return create(ValueInfoProtoSchema, {
    name,
    type: {
      value: {
        case: 'tensorType',
        value: {
          elemType,
          ...(shape && {
            shape: {
              dim: shape.map((dim) => ({
                value:
                  typeof dim === 'number'
                    ? { case: 'dimValue' as const, value: BigInt(dim) }
                    : { case: 'dimParam' as const, value: dim },
              })),
            },
          }),
        },
      },
    },
  })
}

/** Input of a subgraph whose type follows from where it is used. */
export function makeSubgraphInput(name: string): ValueInfoProto {
  return create(ValueInfoProtoSchema, { name })
}

export function makeInt64Tensor(name: string, dims: number[], values: number[]): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType: TensorProto_DataType.INT64,
    dims: dims.map(BigInt),
    rawData: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
  })
}

export function makeFloatTensor(name: string, dims: number[], values: ArrayLike<number>): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType: TensorProto_DataType.FLOAT,
    dims: dims.map(BigInt),
    rawData: new Uint8Array(Float32Array.from(values).buffer),
  })
}

export function makeInt8Tensor(name: string, dims: number[], values: Int8Array): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType: TensorProto_DataType.INT8,
    dims: dims.map(BigInt),
    rawData: Uint8Array.from(values),
  })
}

/** The element type of a graph input or output; UNDEFINED if the file does not say. */
export function elementType(info: ValueInfoProto): TensorProto_DataType {
  return info.type?.value.case === 'tensorType' ? info.type.value.value.elemType : TensorProto_DataType.UNDEFINED
}

/** Dimensions of a graph input or output: numbers if fixed, names (or '') if symbolic. */
export function dimensions(info: ValueInfoProto): (number | string)[] {
  if (info.type?.value.case !== 'tensorType') return []
  return (info.type.value.value.shape?.dim ?? []).map(({ value }) => {
    // ONNX Runtime takes a negative size for one that is not fixed
    if (value.case === 'dimValue') return value.value < 0n ? '' : Number(value.value)
    return value.case === 'dimParam' ? value.value : ''
  })
}
