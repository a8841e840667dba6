import { LayerpruneError } from '../../../base/errors.js'
import type { GraphProto, NodeProto } from './onnx.js'

/** Who writes and who reads each tensor of a graph, by position of the node in the graph's list. */
export interface Topology {
  nodes: NodeProto[]
  /** Position of the node that writes the tensor; graph inputs and initializers have none. */
  producer: Map<string, number>
  /** Positions of the nodes that read the tensor, subgraphs included. */
  consumers: Map<string, number[]>
  /** Tensors that each node reads, including those that its subgraphs read from outside. */
  reads: string[][]
}

/**
 * Sorts the nodes of a graph topologically, in place; nodes that are already in order keep their places. Converters to
 * float16 append their casts at the end.
 * @throws LayerpruneError if the graph has a cycle
 */
export function sortNodes(graph: GraphProto): void {
  const producer = new Map<string, NodeProto>()
  for (const node of graph.node) for (const name of node.output) if (name !== '') producer.set(name, node)
  const sorted = new Set<NodeProto>()
  const open = new Set<NodeProto>()
  for (const root of graph.node) {
    const stack = [root]
    for (let node = stack.at(-1); node !== undefined; node = stack.at(-1)) {
      const pending = sorted.has(node) ? [] : writersOf(node, producer).filter((writer) => !sorted.has(writer))
      if (pending.length === 0) {
        sorted.add(node)
        stack.pop()
      } else {
        if (open.has(node)) throw new LayerpruneError(`the graph has a cycle through node ${node.name}`)
        open.add(node)
        stack.push(...pending)
      }
    }
  }
  graph.node = [...sorted]
}

function writersOf(node: NodeProto, producer: Map<string, NodeProto>): NodeProto[] {
  return tensorsRead(node).flatMap((name) => producer.get(name) ?? [])
}

/**
 * Indexes a graph whose nodes are in topological order, as the ONNX specification demands.
 * @throws LayerpruneError if a tensor is written twice
 */
export function indexGraph(graph: GraphProto): Topology {
  const nodes = graph.node
  const producer = new Map<string, number>()
  const consumers = new Map<string, number[]>()
  const reads = nodes.map(tensorsRead)
  nodes.forEach((node, position) => {
    for (const name of node.output) {
      if (name === '') continue
      if (producer.has(name)) throw new LayerpruneError(`tensor ${name} of the graph is written by two nodes`)
      producer.set(name, position)
    }
  })
  reads.forEach((names, position) => {
    for (const name of names) {
      const list = consumers.get(name)
      if (list) list.push(position)
      else consumers.set(name, [position])
    }
  })
  return { nodes, producer, consumers, reads }
}

/** Inputs of a node, and outer tensors that its subgraphs (If, Loop, Scan) read, without repeats. */
function tensorsRead(node: NodeProto): string[] {
  const names = new Set(node.input)
  names.delete('')
  for (const { g, graphs } of node.attribute) {
    if (g) for (const name of capturedTensors(g)) names.add(name)
    for (const subgraph of graphs) for (const name of capturedTensors(subgraph)) names.add(name)
  }
  return [...names]
}

function capturedTensors(subgraph: GraphProto): Set<string> {
  const inner = new Set<string>()
  for (const { name } of subgraph.input) inner.add(name)
  for (const { name } of subgraph.initializer) inner.add(name)
  for (const node of subgraph.node) for (const name of node.output) inner.add(name)
  const captured = new Set<string>()
  for (const node of subgraph.node) {
    for (const name of tensorsRead(node)) if (!inner.has(name)) captured.add(name)
  }
  for (const { name } of subgraph.output) if (!inner.has(name)) captured.add(name)
  return captured
}

/** Whether a node's output depends only on the shape of its input, not on its values. */
function readsOnlyShape(node: NodeProto): boolean {
  return node.opType === 'Shape' || node.opType === 'Size'
}

/** Nodes whose output values depend on the values of `tensors`; paths through Shape do not count. */
export function nodesDownstream(topology: Topology, tensors: Iterable<string>): Set<number> {
  const found = new Set<number>()
  const queue = [...tensors]
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    for (const position of topology.consumers.get(name) ?? []) {
      const node = topology.nodes[position]!
      if (found.has(position) || readsOnlyShape(node)) continue
      found.add(position)
      queue.push(...node.output.filter((output) => output !== ''))
    }
  }
  return found
}

/** Nodes whose output values `tensors` depend on; with `shapes`, also nodes whose shapes they depend on. */
export function nodesUpstream(topology: Topology, tensors: Iterable<string>, { shapes = false } = {}): Set<number> {
  const found = new Set<number>()
  const queue = [...tensors]
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const position = topology.producer.get(name)
    if (position === undefined || found.has(position)) continue
    const node = topology.nodes[position]!
    found.add(position)
    if (shapes || !readsOnlyShape(node)) queue.push(...topology.reads[position]!)
  }
  return found
}

/** Removes every node, initializer and graph input that no graph output needs; in place. */
export function removeDeadNodes(graph: GraphProto): void {
  const topology = indexGraph(graph)
  const alive = nodesUpstream(
    topology,
    graph.output.map(({ name }) => name),
    { shapes: true },
  )
  const used = new Set(graph.output.map(({ name }) => name))
  for (const position of alive) for (const name of topology.reads[position]!) used.add(name)
  graph.node = graph.node.filter((_, position) => alive.has(position))
  graph.initializer = graph.initializer.filter(({ name }) => used.has(name))
  graph.sparseInitializer = graph.sparseInitializer.filter(({ values }) => values && used.has(values.name))
  graph.input = graph.input.filter(({ name }) => used.has(name))
  const written = new Set(graph.node.flatMap(({ output }) => output))
  graph.valueInfo = graph.valueInfo.filter(({ name }) => written.has(name))
}
