import { nameLayers } from '../../../model/layers/names.js'
import { findBestBlock, recommendBlock } from '../../../results/documents/result-views.js'
import type { ReportedResult } from '../../../results/documents/verification.js'
import { printNote } from '../../terminal/output.js'

/** Notes which block is taken from a result that perplexity checked, and which has the smallest distance. */
export function noteRecommendation(file: string, result: ReportedResult, n: number): void {
  if (result.verification === undefined) return
  const nearest = nameLayers(findBestBlock(result.distances, n))
  const recommended = nameLayers(recommendBlock(result, n))
  if (n !== result.layersToSkip) {
    printNote(
      `${file}: perplexity checked blocks of ${result.layersToSkip}, so for ${n} the smallest distance decides: ${nearest}`,
    )
  } else if (recommended === nearest) {
    printNote(`${file}: ${recommended}, by perplexity and by distance`)
  } else {
    printNote(`${file}: ${recommended}, recommended by perplexity; the smallest distance is of ${nearest}`)
  }
}
