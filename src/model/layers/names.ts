import type { Block } from './block.js'
import { countLayers } from './count-layers.js'

/** A block as its first and last layer: `21..28` for [21, 29), `21` for [21, 22). */
export function formatLayers({ start, end }: Block): string {
  return end - start === 1 ? `${start}` : `${start}..${end - 1}`
}

/** A list of blocks: `3, 21..28`; `none` if there are none. */
export function formatRemoved(removed: Block[]): string {
  return removed.length === 0 ? 'none' : removed.map(formatLayers).join(', ')
}

/** A block with its noun: `layers 21..28`, `layer 21`. */
export function nameLayers(block: Block): string {
  return `${block.end - block.start === 1 ? 'layer' : 'layers'} ${formatLayers(block)}`
}

/**
 * Blocks by start, unambiguously: `layers 21..28 (0-based, 8 of 32)`.
 * @param layers  layers of the whole model
 */
export function describeLayers(layers: number, blocks: Block[]): string {
  const sorted = [...blocks].sort((a, b) => a.start - b.start)
  const count = countLayers(sorted)
  const names = sorted.map(formatLayers).join(', ')
  return `${count === 1 ? 'layer' : 'layers'} ${names} (0-based, ${count} of ${layers})`
}
