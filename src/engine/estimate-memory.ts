import type { ModelConfig } from '../checkpoint/config.js'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import { takeSegment } from '../graph/segment.js'
import { indexGraph, nodesUpstream } from '../graph/topology.js'
import {
  countDims,
  countWidenedBytes,
  ELEMENT_BITS,
  isHalfMatrix,
  listLoadedWeights,
} from '../graph/weight-sizes.js'
import { countRunBytes } from './run-memory.js'

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

/** Node with its libraries, before a model is opened. */
const PROGRAM_BYTES = 140e6

/** Tokens of the default --max-length, and also as many as run at once. */
const TOKENS = 1024

/** Memory that ONNX Runtime keeps beyond what is in use. */
const SLACK = 1.4

/** Estimates the memory of an analysis on the CPU, from the weights and from what was measured of real runs. */
export function estimateMemory(decoder: DecoderGraph, config: ModelConfig): MemoryEstimate {
  const weightsBytes = measureWeights(decoder)
  const tokens = Math.min(TOKENS, config.maxPositions ?? TOKENS)
  const widened = decoder.castsPerRun
    ? countWidenedBytes(listLoadedWeights(takeSegment(decoder, { to: config.layers })))
    : 0
  const runBytes = Math.round(SLACK * (countRunBytes(config, { texts: TOKENS / tokens, tokens }) + widened))
  return { weightsBytes, runBytes, tokens, totalBytes: PROGRAM_BYTES + weightsBytes + runBytes }
}

function measureWeights({ model, states, castsPerRun = false }: DecoderGraph): number {
  const graph = model.graph
  const topology = indexGraph(graph)
  const measured = nodesUpstream(topology, [states.at(-1)!], { shapes: true })
  let bits = 0
  for (const tensor of graph.initializer) {
    const readers = (topology.consumers.get(tensor.name) ?? []).filter((reader) => measured.has(reader))
    const stored = ELEMENT_BITS.get(tensor.dataType)
    if (readers.length === 0 || stored === undefined) continue
    const isCast = readers.some((reader) => topology.nodes[reader]!.opType === 'Cast')
    const isWidened = isCast && !(castsPerRun && isHalfMatrix(tensor))
    bits += countDims(tensor) * (isWidened ? 32 : stored)
  }
  return bits / 8
}
