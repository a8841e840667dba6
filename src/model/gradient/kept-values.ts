import { type GraphProto, type NodeProto, TOKENS } from '../graph/onnx/onnx.js'
import { indexGraph } from '../graph/onnx/topology.js'
import { type Dimension, Shapes } from '../graph/shapes.js'
import { GRADIENT_SCOPE, LOSS_SCOPE } from './training-graph.js'

/** Size of a batch: sequences and tokens per sequence. */
export interface BatchSize {
  texts: number
  tokens: number
}

/** Average share of the tokens that a span of queries sees: attention omits later keys. */
const SEEN = 0.625

/** Spans of queries that attention is computed in. */
const RUNS = 4

/** Operators whose output is the memory of their first input. */
const VIEWS = new Set(['Identity', 'Reshape', 'Squeeze', 'Unsqueeze'])

/**
 * Estimates how many numbers a graph of gradients keeps from the forward pass for the backward pass, to within some
 * tens of percent: lengths that the graph does not state are guessed.
 */
export function countKeptNumbers(graph: GraphProto, batch: BatchSize): number {
  const shapes = new Shapes(graph)
  const { nodes, producer } = indexGraph(graph)
  const writerOf = (tensor: string) => nodes[producer.get(tensor) ?? -1]
  const weights = new Set(graph.initializer.map(({ name }) => name))
  const kept = new Set<string>()
  for (const node of nodes) {
    if (!isOf(node, GRADIENT_SCOPE) || node.opType === 'Shape') continue
    for (const name of node.input) {
      let tensor = name
      let writer = writerOf(tensor)
      while (writer !== undefined && VIEWS.has(writer.opType)) {
        tensor = writer.input[0]!
        writer = writerOf(tensor)
      }
      const isWeight = writer?.opType === 'Cast' && weights.has(writer.input[0]!)
      const isOfLayer = writer !== undefined && !isOf(writer, GRADIENT_SCOPE) && !isOf(writer, LOSS_SCOPE)
      if (isOfLayer && !isWeight) kept.add(tensor)
    }
  }
  return [...kept].reduce((sum, tensor) => sum + countNumbers(shapes.of(tensor), batch), 0)
}

function isOf({ output }: NodeProto, scope: string): boolean {
  return /^[^./]*/.exec(output[0]!)![0] === scope
}

/** Tensors of unknown shape count as small: large ones come from products, which have known shapes. */
function countNumbers(shape: Dimension[] | undefined, { texts, tokens }: BatchSize): number {
  if (shape === undefined) return 0
  return shape.reduce<number>((product, size, axis) => {
    if (typeof size === 'number') return product * size
    if (axis === 0) return product * (shape.length < 3 ? texts * tokens : texts)
    if (size === TOKENS || shape.length < 4) return product * tokens
    if (axis === 3) return product * tokens * SEEN
    const stacked = Number(/ \* (\d+)$/.exec(size)?.[1] ?? 1)
    return (product * stacked * tokens) / RUNS
  }, 1)
}
