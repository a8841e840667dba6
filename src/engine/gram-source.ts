import type { ModelConfig } from '../checkpoint/config.js'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import type { AskedBatch } from './runs.js'
import { openSegmentedSession, type SegmentedOptions } from './segmented-session.js'
import { openStateSession } from './session.js'

/** A decoder that answers for batches of texts with inner products of its states. */
export interface GramSource {
  /**
   * Runs batches and returns for each, in their order, the inner products of states 0..L with each other at each
   * asked token: [tokens asked, L + 1, L + 1] row-major float64.
   */
  measureGrams(batches: AskedBatch[]): AsyncGenerator<Float64Array>
  close(): Promise<void>
}

/**
 * Opens a decoder whole, or within a limit of memory.
 * @param maxMemoryBytes of the process; without it the decoder runs whole
 * @throws LayerpruneError where the runtime refuses the graph or has no such device, or the memory is too little
 */
export async function openGramSource(
  decoder: DecoderGraph,
  config: ModelConfig,
  {
    maxMemoryBytes,
    ...options
  }: Omit<SegmentedOptions, 'maxMemoryBytes'> & { maxMemoryBytes?: number | undefined },
): Promise<GramSource> {
  if (maxMemoryBytes !== undefined)
    return openSegmentedSession(decoder, config, { ...options, maxMemoryBytes })
  const session = await openStateSession(decoder, config, options)
  return {
    async *measureGrams(batches) {
      for (const { texts, asked } of batches) {
        options.signal?.throwIfAborted()
        yield await session.measureGram(texts, asked)
      }
    },
    close: () => session.close(),
  }
}
