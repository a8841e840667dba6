import type { Block } from '../../model/layers/block.js'

/** The n layers of the lowest scores, ascending; of equals the first; throws RangeError if one is not finite. */
export function lowestLayers(scores: number[], n: number): number[] {
  const wrong = scores.findIndex((score) => !Number.isFinite(score))
  if (wrong >= 0) throw new RangeError(`the score of layer ${wrong} is ${scores[wrong]}`)
  return scores
    .map((score, layer) => ({ score, layer }))
    .sort((a, b) => a.score - b.score || a.layer - b.layer)
    .slice(0, n)
    .map(({ layer }) => layer)
    .sort((a, b) => a - b)
}

/** The deepest n layers but for the last, which is needed (Gromov et al. 2024, section 4.2); n is below `layers`. */
export function deepestBlock(layers: number, n: number): Block {
  return { start: layers - 1 - n, end: layers - 1 }
}

export function asBlocks(layers: number[]): Block[] {
  return layers.map((layer) => ({ start: layer, end: layer + 1 }))
}
