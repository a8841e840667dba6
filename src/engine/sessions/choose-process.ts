import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { listLoadedWeights } from './loaded-weights.js'
import type { SessionProcess } from './session-process.js'

/**
 * Weights from which on a run of a batch, or loading, may hold a thread for more than a second. To send states to another
 * process and back then takes at most 3 % of a run.
 */
const LONG_BYTES = 40e6

/** The process for a part of a decoder: `apart` if it may hold its thread for long; undefined for this process. */
export function chooseProcess(part: DecoderGraph, apart: SessionProcess | undefined): SessionProcess | undefined {
  if (apart === undefined) return undefined
  const bytes = listLoadedWeights(part).reduce((sum, weight) => sum + weight.bytes, 0)
  return bytes < LONG_BYTES ? undefined : apart
}
