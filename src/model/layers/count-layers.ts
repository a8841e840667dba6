import type { Block } from './block.js'

/** Layers in blocks that do not overlap. */
export function countLayers(blocks: Block[]): number {
  return blocks.reduce((sum, { start, end }) => sum + end - start, 0)
}
