import { type SizeCertainty, summarizeCertainty } from '../statistics/certainty.js'
import type { SimilarityResult } from './similarity-result.js'

/** How sure it is that the best block of n layers is the best; null if that was not measured. */
export function findCertainty(
  {
    layersToSkip,
    certainty,
    certaintyBySize,
  }: Pick<SimilarityResult, 'layersToSkip' | 'certainty' | 'certaintyBySize'>,
  n: number,
): SizeCertainty | null {
  if (n === layersToSkip) return certainty && summarizeCertainty(certainty)
  return certaintyBySize?.[n] ?? null
}
