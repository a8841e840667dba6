import { LayerpruneError } from '../../base/errors.js'
import type { GraphWriter } from '../graph/onnx/graph-writer.js'
import type { GraphProto, NodeProto } from '../graph/onnx/onnx.js'
import { indexGraph, nodesDownstream } from '../graph/onnx/topology.js'
import { Shapes } from '../graph/shapes.js'
import type { Passage } from './rule.js'
import { findRule } from './rules/table.js'

/**
 * Writes the gradients of a loss by reverse-mode differentiation: from tensors with known gradients to those whose
 * gradients are wanted, through the nodes in between only.
 * @param graph  nodes in topological order; it is not changed
 * @param writer  receives the new nodes
 * @param seeds  known gradients, by tensor
 * @param wanted  tensors whose gradients are wanted
 * @returns gradients of the wanted tensors that the loss depends on, by tensor
 * @throws LayerpruneError if an operator in between has no rule
 */
export function differentiate(
  graph: GraphProto,
  writer: GraphWriter,
  seeds: ReadonlyMap<string, string>,
  wanted: readonly string[],
): Map<string, string> {
  const topology = indexGraph(graph)
  const shapes = new Shapes(graph)
  const carriers = new Set(wanted)
  for (const position of nodesDownstream(topology, wanted)) {
    for (const output of topology.nodes[position]!.output) if (output !== '') carriers.add(output)
  }
  const terms = new Map([...seeds].map(([tensor, gradient]) => [tensor, [gradient]]))
  const gradients = new Map<string, string>()
  const gradientOf = (tensor: string): string | undefined => {
    const known = gradients.get(tensor) ?? sumTerms(writer, terms.get(tensor) ?? [])
    if (known !== undefined) gradients.set(tensor, known)
    return known
  }
  for (const node of graph.node.toReversed()) {
    const needs = (input: number) => carriers.has(node.input[input] ?? '')
    const isOnTheWay = node.output.some((name) => terms.has(name)) && node.input.some((_, input) => needs(input))
    if (!isOnTheWay) continue
    const outputs = node.output.map(gradientOf)
    const inputs = passNode({ writer, node, outputs, needs, shapes })
    for (const [input, gradient] of inputs.entries()) {
      const tensor = node.input[input]!
      if (gradient !== undefined && needs(input)) terms.set(tensor, [...(terms.get(tensor) ?? []), gradient])
    }
  }
  return new Map(
    wanted.flatMap((tensor): [string, string][] => {
      const gradient = gradientOf(tensor)
      return gradient === undefined ? [] : [[tensor, gradient]]
    }),
  )
}

function passNode(passage: Passage): (string | undefined)[] {
  const { node } = passage
  const rule = isSupported(node) ? findRule(node.opType) : undefined
  if (rule !== undefined) return rule(passage)
  throw new LayerpruneError(`gradients cannot pass through the operator ${node.opType} (${node.output[0]})`, {
    hint: 'train layers after it alone, or heal this model on a GPU: layerprune recipe',
  })
}

/** Forms of operators that no rule covers. */
function isSupported({ opType, input, attribute }: NodeProto): boolean {
  if (opType === 'Slice') return input.length === 4
  if (opType === 'ReduceSum' || opType === 'ReduceLogSumExp') {
    return !attribute.some(({ name, i }) => name === 'keepdims' && i === 0n)
  }
  return true
}

function sumTerms(writer: GraphWriter, terms: string[]): string | undefined {
  const [first, ...others] = terms
  if (first === undefined || others.length === 0) return first
  return others.reduce((sum, term) => writer.op('Add', [sum, term]), first)
}
