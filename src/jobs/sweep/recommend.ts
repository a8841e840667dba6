import type { SweepCandidate, SweepLimits, SweepResult } from '../../results/documents/sweep-result.js'

/** The perplexity by which a cut is judged: repaired, if it was repaired; Infinity if it is not finite. */
function perplexityOf({ perplexity, repaired }: SweepCandidate): number {
  return (repaired === undefined ? perplexity : repaired.perplexity) ?? Infinity
}

/** The cut of the most layers within the limits, or of the lowest perplexity by size alone; null if none holds. */
export function recommendCut(
  candidates: SweepCandidate[],
  wholePerplexity: number,
  limits: SweepLimits,
): SweepResult['recommended'] {
  const { maxPerplexityRatio, maxSize, minTask } = limits
  if (Object.keys(limits).length === 0) return null
  const isOfQuality = (maxPerplexityRatio ?? minTask) !== undefined
  const [best] = candidates
    .filter((cut) => Number.isFinite(perplexityOf(cut)))
    .filter((cut) => perplexityOf(cut) <= (maxPerplexityRatio ?? Infinity) * wholePerplexity)
    .filter(({ bytes }) => bytes <= (maxSize ?? Infinity))
    .filter(({ tasks }) => Object.entries(minTask ?? {}).every(([name, least]) => (tasks?.[name]?.acc ?? 0) >= least))
    .sort((a, b) => {
      const larger = isOfQuality ? b.layersToSkip - a.layersToSkip : 0
      return larger || perplexityOf(a) - perplexityOf(b)
    })
  if (best === undefined) return null
  const { layersToSkip, removed, strategies } = best
  return { layersToSkip, removed, strategies }
}
