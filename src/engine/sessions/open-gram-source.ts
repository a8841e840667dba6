import type { ModelConfig } from '../../files/checkpoint/config.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import type { GramSource } from './gram-source.js'
import type { SegmentedOptions } from './segmented-session.js'
import { openWholeSession } from './whole-session.js'

/**
 * Opens a decoder whole, or within a memory limit.
 * @param maxMemory of the process; without it the decoder runs whole
 * @throws LayerpruneError if the runtime refuses the graph or has no such device, or if the memory is too little
 */
export async function openGramSource(
  decoder: DecoderGraph,
  config: ModelConfig,
  { maxMemory, ...options }: Omit<SegmentedOptions, 'maxMemory'> & { maxMemory?: number | undefined },
): Promise<GramSource> {
  if (maxMemory === undefined) return openWholeSession(decoder, config, options)
  const { openSegmentedSession } = await import('./segmented-session.js')
  return openSegmentedSession(decoder, config, { ...options, maxMemory })
}
