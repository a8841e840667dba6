import type { Attention, Linear, Projections } from '../families/describe/description.js'
import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import type { DecoderWriter } from './decoder-writer.js'
import { type Product, readProduct, writeLinear, writeProduct } from './linear.js'

const QUARTERS = 4

/** Projections of a layer with keys and values of its own. */
export type OwnProjections = Exclude<Projections, { layout: 'query only' }>

type PackedProjections = Extract<Projections, { packed: Linear }>

/** Each [batch, tokens, heads * head size]. */
export interface QueryKeyValue {
  query: string
  key: string
  value: string
}

/**
 * Writes the products that give queries, keys and values, however their weights are stored.
 * @returns also the gate that the query product gives, in the shape of the queries; null if it gives none
 */
export function writeProjections(
  writer: DecoderWriter,
  attention: Attention,
  projections: OwnProjections,
  input: string,
): QueryKeyValue & { gate: string | null } {
  const [query, key, value = key] = writeProducts(writer, attention, projections, input)
  const products = { query: query!, key: key!, value: value!, gate: null }
  return attention.gate === 'fused with q' ? { ...products, ...splitGate(writer, attention, query!) } : products
}

/** Splits each head of the query product into its query and its gate. */
function splitGate(
  writer: GraphWriter,
  { heads, headDim }: Attention,
  product: string,
): { query: string; gate: string } {
  const perHead = writer.op('Reshape', [product, writer.integers([0, 0, heads, 2 * headDim])])
  const [query, gate] = writer
    .ops('Split', [perHead, writer.integers([headDim, headDim])], 2, { axis: -1 })
    .map((part) => writer.op('Reshape', [part, writer.integers([0, 0, heads * headDim])]))
  return { query: query!, gate: gate! }
}

function writeProducts(
  writer: DecoderWriter,
  attention: Attention,
  projections: OwnProjections,
  input: string,
): string[] {
  if (projections.layout === 'key as value') {
    return [projections.query, projections.key].map((linear) => writeLinear(writer, linear, input))
  }
  if (projections.layout === 'separate') {
    const { query, key, value } = projections
    return [query, key, value].map((linear) => writeLinear(writer, linear, input))
  }
  return readPacked(writer, attention, projections).map((product) => writeProduct(writer, product, input))
}

function readPacked(
  writer: DecoderWriter,
  { heads, kvHeads, headDim }: Attention,
  projections: PackedProjections,
): Product[] {
  const { packed } = projections
  const sizes = [heads * headDim, kvHeads * headDim, kvHeads * headDim]
  if (projections.layout === 'qkv per group') {
    const perGroup = [heads / kvHeads, 1, 1]
    return splitGroups(writer, packed, { groups: kvHeads, perGroup, size: headDim }, sizes)
  }
  if (projections.layout === 'qvk per quarter') {
    const size = (heads * headDim) / QUARTERS
    const quarters = { groups: QUARTERS, perGroup: [1, 1, 1], size }
    const [query, value, key] = splitGroups(writer, packed, quarters, sizes)
    return [query!, key!, value!]
  }
  if (packed.transposed) return splitColumns(writer, readProduct(writer, packed), sizes)
  let end = 0
  return sizes.map((size) => {
    end += size
    return readProduct(writer, packed, [end - size, end])
  })
}

function splitColumns(writer: GraphWriter, packed: Product, sizes: number[]): Product[] {
  const split = (tensor: string, axis: number) =>
    writer.ops('Split', [tensor, writer.integers(sizes)], sizes.length, { axis })
  const matrices = split(packed.matrix, 1)
  const biases = packed.bias === null ? null : split(packed.bias, 0)
  return matrices.map((matrix, index) => ({ ...packed, matrix, bias: biases ? biases[index]! : null }))
}

/** Rows stored in groups that each contain some rows of every part; they are sorted when the session starts. */
interface Groups {
  groups: number
  /** Members of each part per group; a member has `size` rows. */
  perGroup: number[]
  size: number
}

/** @param sizes rows of each part in all groups */
function splitGroups(
  writer: DecoderWriter,
  packed: Linear,
  { groups, perGroup, size }: Groups,
  sizes: number[],
): Product[] {
  const groupSize = perGroup.reduce((sum, members) => sum + members)
  const split = (tensor: string, width: number[]) => {
    const grouped = writer.op('Reshape', [tensor, writer.integers([groups, groupSize, size, ...width])])
    const parts = writer.ops('Split', [grouped, writer.integers(perGroup)], perGroup.length, { axis: 1 })
    return parts.map((part, index) => writer.op('Reshape', [part, writer.integers([sizes[index]!, ...width])]))
  }
  const { matrix, bias, transposed } = readProduct(writer, packed)
  const matrices = split(matrix, [packed.inputs])
  const biases = bias === null ? null : split(bias, [])
  return matrices.map((part, index) => ({
    matrix: part,
    transposed,
    bias: biases ? biases[index]! : null,
  }))
}
