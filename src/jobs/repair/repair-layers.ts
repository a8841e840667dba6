import type { Model } from '../../engine/model.js'
import { type DecoderPieces, openDecoderPieces } from '../../engine/sessions/decoder-pieces.js'
import type { PlacedOptions } from '../../engine/sessions/session.js'
import type { Block } from '../../model/layers/block.js'
import { normalizeBlocks } from '../../model/layers/blocks.js'

/** The whole model during a repair. Each layer that may change is a separate piece. */
export interface RepairLayers {
  pieces: DecoderPieces
  /** States at which the pieces begin and end. */
  boundaries: number[]
  close(): Promise<void>
}

/**
 * Opens a model to be repaired; its pieces are loaded when they are first run.
 * @param removed  blocks, none of which starts at the first layer
 * @param isLimited  whether the other layers are pieces too, so that few need be loaded at a time
 */
export async function openRepairLayers(
  { decoder, config }: Model,
  removed: Block[],
  session: PlacedOptions,
  isLimited = false,
): Promise<RepairLayers> {
  const blocks = normalizeBlocks(removed, config.layers)
  const first = Math.max(blocks[0]!.start - 1, 1)
  const isInside = (state: number) => state < first || blocks.some(({ start, end }) => start < state && state < end)
  const states = Array.from({ length: config.layers }, (_, index) => index + 1)
  const boundaries = [0, ...(isLimited ? states : states.filter((state) => !isInside(state)))]
  const pieces = await openDecoderPieces(decoder, config, boundaries, session)
  return { pieces, boundaries, close: () => pieces.close() }
}
