import {
  DataType,
  elementType,
  type GraphProto,
  makeNode,
  type NodeProto,
  type ValueInfoProto,
} from '../graph/onnx/onnx.js'

/** Operators that move numbers, and the inputs that hold them; their output has the type of these. */
const MOVERS: Record<string, 'first' | 'all'> = {
  ...{ Concat: 'all' },
  ...{ Gather: 'first', Identity: 'first', Reshape: 'first', Slice: 'first', Split: 'first', Transpose: 'first' },
  ...{ Expand: 'first', Squeeze: 'first', Unsqueeze: 'first' },
}

/** Operators that multiply in the type of their inputs; factors of blocks have that type too. */
const PRODUCTS = new Set(['Gemm', 'MatMul', 'MatMulNBits'])

/**
 * Makes keys and values that are kept float16, in place, and the products with these and with float16 matrices: what is
 * multiplied is cast before, and the product is cast back. Norms, softmax, activations, sums and recurrent states stay
 * float32: large sums overflow in float16, and small differences are lost.
 * @param isHalf  whether a weight is stored in float16
 */
export function castToHalf(graph: GraphProto, isHalf: (weight: string) => boolean): void {
  const halves = new Set<string>()
  for (const info of [...graph.input, ...graph.output]) {
    if (/^(past_key_values|present)\./.test(info.name)) setHalf(info)
  }
  for (const { name } of graph.input.filter((info) => elementType(info) === DataType.FLOAT16)) halves.add(name)
  const isHalfTensor = (name: string) => halves.has(name) || isHalf(name)
  const casts = new Map<string, string>()
  const nodes: NodeProto[] = []
  const cast = (name: string, to: DataType.FLOAT | DataType.FLOAT16): string => {
    if (name === '' || isHalfTensor(name) === (to === DataType.FLOAT16)) return name
    const output = `${name}/as_${to === DataType.FLOAT ? 'float' : 'half'}`
    if (!casts.has(output)) {
      nodes.push(makeNode('Cast', [name], [output], { to }))
      casts.set(output, name)
      if (to === DataType.FLOAT16) halves.add(output)
    }
    return output
  }
  const asHalf = (node: NodeProto, which: (index: number) => boolean) => {
    node.input = node.input.map((name, index) => (which(index) ? cast(name, DataType.FLOAT16) : name))
    for (const name of node.output) halves.add(name)
  }
  for (const node of graph.node) {
    const moved = MOVERS[node.opType]
    const reads = moved === 'first' ? node.input.slice(0, 1) : node.input
    const touchesHalf = reads.some(isHalfTensor)
    if (touchesHalf && moved !== undefined) asHalf(node, (index) => moved === 'all' || index === 0)
    else if (touchesHalf && node.opType === 'GatherBlockQuantized') halves.add(node.output[0]!)
    else if (touchesHalf && PRODUCTS.has(node.opType))
      asHalf(node, (index) => !(node.opType === 'MatMulNBits' && index === 1))
    else if (node.opType !== 'Cast') node.input = node.input.map((name) => cast(name, DataType.FLOAT))
    nodes.push(node)
  }
  graph.node = nodes
  castOutputs(graph, isHalfTensor)
}

/** Outputs keep their names: what is cast for them is renamed. */
function castOutputs(graph: GraphProto, isHalf: (name: string) => boolean): void {
  for (const info of graph.output) {
    const to = elementType(info)
    if (isHalf(info.name) === (to === DataType.FLOAT16)) continue
    const inner = `${info.name}/inner`
    for (const node of graph.node) {
      if (node.output.includes(info.name)) node.name = inner
      node.output = node.output.map((name) => (name === info.name ? inner : name))
      node.input = node.input.map((name) => (name === info.name ? inner : name))
    }
    graph.node.push(makeNode('Cast', [inner], [info.name], { to }))
  }
}

function setHalf({ type }: ValueInfoProto): void {
  if (type?.value.case === 'tensorType') type.value.value.elemType = DataType.FLOAT16
}
