import { nodesUpstream, type Topology } from '../onnx/topology.js'

/** Inputs of LinearAttention: how fast a state fades, and how far a token moves it. */
const RATE_INPUTS = [4, 5]

/**
 * Positions of the nodes whose outputs are used only as rates of linear attention, where errors accumulate over all
 * later tokens. Their matrices are small: a few outputs per head.
 */
export function findRateNodes(topology: Topology): Set<number> {
  const { nodes, consumers } = topology
  const rates = nodes.flatMap(({ opType, input }) =>
    opType === 'LinearAttention' ? RATE_INPUTS.flatMap((index) => input[index] ?? []) : [],
  )
  const found = new Set<number>()
  const isRate = (name: string, reader: number): boolean => {
    const { opType, input } = nodes[reader]!
    if (opType !== 'LinearAttention') return found.has(reader)
    return input.every((other, index) => other !== name || RATE_INPUTS.includes(index))
  }
  const upstream = [...nodesUpstream(topology, rates)].sort((a, b) => b - a)
  for (const position of upstream) {
    const readers = nodes[position]!.output.map((name) => ({ name, positions: consumers.get(name) ?? [] }))
    const isForRates = readers.every(
      ({ name, positions }) => positions.length > 0 && positions.every((reader) => isRate(name, reader)),
    )
    if (isForRates) found.add(position)
  }
  return found
}
