import type { WeightExpression } from '../../files/checkpoint/weight-expression.js'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import {
  copyMessage,
  DataLocation,
  type GraphProto,
  type ModelProto,
  makeNode,
  type NodeProto,
} from '../graph/onnx/onnx.js'
import { WeightWriter } from './weight-writer.js'

/** A graph that computes its packed weights itself. */
export interface UnpackedModel {
  model: ModelProto
  /** Names of its initializers that are parts of packed weights. */
  parts: ReadonlySet<string>
}

/**
 * Adds to a decoder's graph the nodes that decode its packed weights. Of a table that is only looked up, only those rows
 * are decoded.
 * @returns a new model that shares nodes and weights with the given one
 */
export function unpackWeights({ model, weightsFolder, packed }: DecoderGraph): UnpackedModel {
  const { graph } = model
  const isPacked = ({ name, dataLocation }: GraphProto['initializer'][number]) =>
    dataLocation === DataLocation.EXTERNAL && packed?.has(name) === true
  const names = new Set(graph.initializer.filter(isPacked).map(({ name }) => name))
  if (packed === undefined || names.size === 0) return { model, parts: new Set() }
  const writer = new WeightWriter(weightsFolder)
  const isLookUp = (node: NodeProto) =>
    node.opType === 'Gather' && names.has(node.input[0]!) && !node.attribute.some(({ i }) => i !== 0n)
  const others = graph.node.flatMap((node) => {
    if (!isLookUp(node)) return [node]
    return writeLookUp(writer, packed.get(node.input[0]!)!, node)
  })
  const whole = readNames(others).filter((name) => names.has(name))
  for (const name of whole) {
    const numbers = writer.inScope(name, () => writer.expression(packed.get(name)!))
    writer.nodes.push(makeNode('Identity', [numbers], [name]))
  }
  const initializer = [...graph.initializer.filter(({ name }) => !names.has(name)), ...writer.initializers.values()]
  const edited = copyMessage(graph, {
    node: [...writer.nodes, ...others],
    initializer: withoutRepeats(initializer),
  })
  return { model: copyMessage(model, { graph: edited }), parts: writer.parts }
}

/** The nodes that replace a lookup in a packed table. */
function writeLookUp(writer: WeightWriter, table: WeightExpression, { input, output }: NodeProto): NodeProto[] {
  const before = writer.nodes.splice(0)
  writer.inScope(output[0]!, () => {
    const ids = input[1]!
    const rows = writer.expression(table, writer.op('Reshape', [ids, writer.integers([-1])]))
    const width = writer.integers(table.shape.slice(1))
    const shape = writer.op('Concat', [writer.op('Shape', [ids]), width], { axis: 0 })
    writer.nodes.push(makeNode('Reshape', [rows, shape], [output[0]!]))
  })
  return writer.nodes.splice(0, Infinity, ...before)
}

/** Names that nodes read, their subgraphs included, without repeats. */
function readNames(nodes: NodeProto[]): string[] {
  const names = nodes.flatMap((node): string[] => {
    const subgraphs = node.attribute.flatMap(({ g, graphs }) => (g ? [g, ...graphs] : graphs))
    return [...node.input, ...subgraphs.flatMap((graph) => readNames(graph.node))]
  })
  return [...new Set(names)]
}

/** Drops constants that the graph already has: integer constants are named by their values. */
function withoutRepeats(initializers: GraphProto['initializer']): GraphProto['initializer'] {
  return [...new Map(initializers.map((tensor) => [tensor.name, tensor])).values()]
}
