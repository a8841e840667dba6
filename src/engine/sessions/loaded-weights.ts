import { countPackedBytes } from '../../files/checkpoint/weight-expression.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { findMappableMatrices } from '../../model/graph/mapped-products.js'
import { DataLocation, type NodeProto } from '../../model/graph/onnx/onnx.js'
import { indexGraph } from '../../model/graph/onnx/topology.js'
import { bitsOfWeight, countDims, isHalfMatrix } from '../../model/graph/weight-sizes.js'
import { countDecodingCopies } from '../../model/unpack/decoding-copies.js'
import { allocatedBytes } from './memory-figures.js'

/** Memory that a weight takes once its graph is loaded. */
export interface LoadedWeight {
  bytes: number
  isMapped: boolean
  /** What a run takes in addition if it casts the weight to float32. */
  cast: { shape: string; bytes: number } | null
}

/**
 * Lists the memory that a decoder's weights take. A weight that a cast reads takes float32 unless the decoder casts per
 * run or the matrix is mapped; any other takes its stored size. Each product with an int8 matrix packs its own copy. A
 * table outside the graph that is only looked up stays in its file and is omitted.
 */
export function listLoadedWeights({
  model,
  packed,
  castsPerRun = false,
  mapsMatrices = false,
}: DecoderGraph): LoadedWeight[] {
  const mapped = mapsMatrices && !castsPerRun ? findMappableMatrices(model.graph) : new Map()
  const { nodes, consumers } = indexGraph(model.graph)
  const readersOf = (name: string) => (consumers.get(name) ?? []).map((reader) => nodes[reader]!)
  const isSplit = ({ opType, output }: NodeProto): boolean =>
    opType === 'Split' || (/^(Cast|Reshape)$/.test(opType) && readersOf(output[0]!).some(isSplit))
  return model.graph.initializer.flatMap((tensor): LoadedWeight[] => {
    const readers = readersOf(tensor.name)
    const stored = bitsOfWeight(tensor)
    const isExternal = tensor.dataLocation === DataLocation.EXTERNAL
    const isLookedUp = isExternal && readers.every(({ opType }) => opType === 'Gather')
    if (stored === undefined || isLookedUp) return []
    const count = countDims(tensor)
    const expression = isExternal ? packed?.get(tensor.name) : undefined
    if (expression !== undefined) {
      const copies = countDecodingCopies(expression) + (readers.some(isSplit) ? 1 : 0)
      const cast = { shape: `${tensor.dims}`, bytes: copies * count * Float32Array.BYTES_PER_ELEMENT }
      return [{ bytes: countPackedBytes(expression), isMapped: true, cast }]
    }
    const isCast = readers.some(({ opType }) => opType === 'Cast')
    if (mapped.has(tensor.name) && !isHalfMatrix(tensor)) {
      return [{ bytes: (count * stored) / 8, isMapped: true, cast: null }]
    }
    if (mapped.has(tensor.name) || (isCast && castsPerRun && isHalfMatrix(tensor))) {
      const copies = readers.some(isSplit) ? 2 : 1
      const cast = { shape: `${tensor.dims}`, bytes: copies * count * Float32Array.BYTES_PER_ELEMENT }
      return [{ bytes: (count * stored) / 8, isMapped: isExternal, cast }]
    }
    const copies = Math.max(1, readers.filter(({ opType }) => opType === 'MatMulIntegerToFloat').length)
    return [{ bytes: (copies * count * (isCast ? 32 : stored)) / 8, isMapped: false, cast: null }]
  })
}

/** Peak bytes of float32 copies over weights in order of use: ONNX Runtime keeps one for all of a shape. */
export function countCastBytes(weights: LoadedWeight[]): number {
  const casts = weights.flatMap(({ cast }) => cast ?? [])
  const last = new Map(casts.map(({ shape }, index) => [shape, index]))
  const held = new Map<string, number>()
  let most = 0
  for (const [index, { shape, bytes }] of casts.entries()) {
    held.set(shape, Math.max(bytes, held.get(shape) ?? 0))
    most = Math.max(
      most,
      [...held.values()].reduce((sum, bytes) => sum + bytes, 0),
    )
    if (last.get(shape) === index) held.delete(shape)
  }
  return most
}

/** What weights take once their graph is loaded, in bytes. */
export interface WeightBytes {
  heldBytes: number
  /** On top of that at the peak. */
  passingBytes: number
}

export function measureWeightBytes(weights: LoadedWeight[]): WeightBytes {
  const held = weights.map(({ bytes, isMapped }) => (isMapped ? bytes : allocatedBytes(bytes)))
  return { heldBytes: held.reduce((sum, bytes) => sum + bytes, 0), passingBytes: countPassingBytes(weights) }
}

/** What is taken on top of what is held: a second copy of a weight while it is packed for the processor or cast. */
export function countPassingBytes(weights: LoadedWeight[]): number {
  const ordered = weights.filter(({ isMapped }) => !isMapped).map(({ bytes }) => bytes)
  return Math.max(0, ...ordered, allocatedBytes(countCastBytes(weights)))
}
