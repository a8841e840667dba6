import type { ModelConfig } from '../../files/checkpoint/config.js'
import { countPackedBytes } from '../../files/checkpoint/weight-expression.js'
import { holdsScores } from '../../model/graph/attention-scores.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { indexGraph, nodesUpstream } from '../../model/graph/onnx/topology.js'
import { takeSegment } from '../../model/graph/segment.js'
import { bitsOfWeight, countDims, isHalfMatrix } from '../../model/graph/weight-sizes.js'
import { DEFAULT_MAX_LENGTH } from '../../texts/tokens/windows.js'
import { countCastBytes, listLoadedWeights } from './loaded-weights.js'
import { countRunBytes, KEPT_BY_RUNTIME, PROGRAM_BYTES } from './memory-figures.js'
import { chooseRunLimits } from './runs.js'

/** Memory that `similarity` takes, in bytes, to within about a quarter. */
export interface MemoryEstimate {
  /** Weights: in float32 if they are computed with, as stored if they are looked up or made float32 in runs. */
  weightsBytes: number
  /** What a run of a batch takes besides them, for texts of up to `tokens` tokens. */
  runBytes: number
  tokens: number
  /** Both, and what Node and ONNX Runtime take by themselves. */
  totalBytes: number
}

/** Estimates the memory of an analysis on the CPU, from the weights and from what was measured of real runs. */
export function estimateMemory(decoder: DecoderGraph, config: ModelConfig): MemoryEstimate {
  const weightsBytes = measureWeights(decoder)
  const tokens = Math.min(DEFAULT_MAX_LENGTH, config.maxPositions ?? DEFAULT_MAX_LENGTH)
  const castBytes = decoder.castsPerRun
    ? countCastBytes(listLoadedWeights(takeSegment(decoder, { to: config.layers })))
    : 0
  const size = { texts: chooseRunLimits(decoder).tokens / tokens, tokens }
  const peakBytes = countRunBytes(config, size, holdsScores(decoder)) + castBytes
  const runBytes = Math.round(KEPT_BY_RUNTIME * peakBytes)
  return { weightsBytes, runBytes, tokens, totalBytes: PROGRAM_BYTES + weightsBytes + runBytes }
}

function measureWeights({ model, states, packed, castsPerRun = false }: DecoderGraph): number {
  const graph = model.graph
  const topology = indexGraph(graph)
  const measured = nodesUpstream(topology, [states.at(-1)!], { shapes: true })
  let bits = 0
  for (const tensor of graph.initializer) {
    const readers = (topology.consumers.get(tensor.name) ?? []).filter((reader) => measured.has(reader))
    const stored = bitsOfWeight(tensor)
    if (readers.length === 0 || stored === undefined) continue
    const expression = packed?.get(tensor.name)
    if (expression !== undefined) {
      bits += 8 * countPackedBytes(expression)
      continue
    }
    const isCast = readers.some((reader) => topology.nodes[reader]!.opType === 'Cast')
    const isCastOnce = isCast && !(castsPerRun && isHalfMatrix(tensor))
    bits += countDims(tensor) * (isCastOnce ? 32 : stored)
  }
  return bits / 8
}
