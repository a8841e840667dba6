import { type DecoderPieces, openDecoderPieces } from '../engine/decoder-pieces.js'
import type { SessionOptions } from '../engine/session.js'
import type { Block } from '../layers/block.js'
import { normalizeBlocks } from '../layers/blocks.js'
import type { Model } from '../model.js'

/** The whole model on the way of a repair, in pieces of one layer from the first one on that may be changed. */
export interface RepairLayers {
  pieces: DecoderPieces
  /** States at which the pieces begin and end. */
  boundaries: number[]
  close(): Promise<void>
}

/**
 * Opens a model to be repaired; its pieces are loaded when they are first run.
 * @param removed  blocks, none of which starts at the first layer
 */
export async function openRepairLayers(
  { decoder, config }: Model,
  removed: Block[],
  session: SessionOptions,
): Promise<RepairLayers> {
  const [{ start }] = normalizeBlocks(removed, config.layers) as [Block]
  const first = Math.max(start - 1, 1)
  const boundaries = [0, ...Array.from({ length: config.layers - first + 1 }, (_, index) => first + index)]
  const pieces = await openDecoderPieces(decoder, config, boundaries, session)
  return { pieces, boundaries, close: () => pieces.close() }
}
