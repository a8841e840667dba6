import { type NodeProto, readInteger, type TensorProto } from './onnx/onnx.js'
import type { Topology } from './onnx/topology.js'

/** Outputs [start, end) of a matrix. */
export type OutputRange = [start: number, end: number]

/** A weight matrix as it is stored; a graph multiplies by a part of it. */
export interface StoredMatrix {
  tensor: TensorProto
  inputs: number
  outputs: number
  /** The outputs that the part has, in its order. */
  taken: OutputRange[]
}

/** A tensor while its outputs are traced: its shape, and the stored output at each place; inputs count as one. */
interface Traced {
  tensor: TensorProto
  inputs: number
  dims: number[]
  order: number[]
}

/**
 * Traces a matrix that tokens are multiplied by back to the stored one: through a cast, and through the splits and
 * reshapes that separate queries, keys and values of one matrix.
 * @param byOutput whether the matrix is [outputs, inputs] instead of [inputs, outputs]
 * @returns undefined if the matrix is not stored, or comes from a stored one in another way
 */
export function findStoredMatrix(
  name: string,
  byOutput: boolean,
  initializers: Map<string, TensorProto>,
  { producer, nodes }: Topology,
): StoredMatrix | undefined {
  function trace(name: string): Traced | undefined {
    const position = producer.get(name)
    if (position === undefined) return traceStored(initializers.get(name), byOutput)
    const node = nodes[position]!
    const source = trace(node.input[0]!)
    if (source === undefined) return undefined
    switch (node.opType) {
      case 'Cast':
        return source
      case 'Reshape': {
        const dims = readIntegers(node.input[1], initializers)
        if (!byOutput || dims?.at(-1) !== source.inputs || dims.some((dim) => dim < 1)) return undefined
        return { ...source, dims: [...dims.slice(0, -1), 1] }
      }
      case 'Split':
        return takePart(source, node, name, readIntegers(node.input[1], initializers))
      default:
        return undefined
    }
  }

  const traced = trace(name)
  if (traced === undefined || traced.dims.length !== 2) return undefined
  const { tensor, inputs, order } = traced
  return { tensor, inputs, outputs: Number(tensor.dims[byOutput ? 0 : 1]), taken: joinRanges(order) }
}

function traceStored(tensor: TensorProto | undefined, byOutput: boolean): Traced | undefined {
  if (tensor?.dims.length !== 2) return undefined
  const [rows, columns] = tensor.dims.map(Number) as [number, number]
  const [inputs, outputs] = byOutput ? [columns, rows] : [rows, columns]
  const order = Array.from({ length: outputs }, (_, output) => output)
  return { tensor, inputs, dims: byOutput ? [outputs, 1] : [1, outputs], order }
}

function takePart(
  { dims, order, ...source }: Traced,
  node: NodeProto,
  name: string,
  sizes: number[] | undefined,
): Traced | undefined {
  const axis = readInteger(node, 'axis') ?? 0
  const part = node.output.indexOf(name)
  if (sizes === undefined || axis < 0 || sizes.reduce((sum, size) => sum + size) !== dims[axis]) return undefined
  const start = sizes.slice(0, part).reduce((sum, size) => sum + size, 0)
  const end = start + sizes[part]!
  const stride = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1)
  const isTaken = (_: number, place: number) => {
    const index = Math.floor(place / stride) % dims[axis]!
    return index >= start && index < end
  }
  return { ...source, dims: dims.with(axis, end - start), order: order.filter(isTaken) }
}

/** The numbers of an int64 initializer; undefined if it is none or is empty. */
export function readIntegers(name: string | undefined, initializers: Map<string, TensorProto>): number[] | undefined {
  const tensor = name === undefined ? undefined : initializers.get(name)
  if (tensor === undefined || tensor.rawData.length === 0) return undefined
  const { buffer, byteOffset, length } = tensor.rawData
  const view = new DataView(buffer, byteOffset, length)
  const count = length / BigInt64Array.BYTES_PER_ELEMENT
  return Array.from({ length: count }, (_, index) => Number(view.getBigInt64(index * 8, true)))
}

function joinRanges(order: number[]): OutputRange[] {
  const ranges: OutputRange[] = []
  for (const output of order) {
    const last = ranges.at(-1)
    if (last?.[1] === output) last[1]++
    else ranges.push([output, output + 1])
  }
  return ranges
}
