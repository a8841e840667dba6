import { makePlan, type Plan } from './plan.js'
import type { SweepResult } from './sweep-result.js'

/** The plan of the recommended cut; null if there is none. */
export function planRecommended({
  model,
  dataset,
  candidates,
  recommended,
  whole,
  limits,
}: SweepResult): Plan | null {
  if (recommended === null) return null
  const { removed, strategies } = recommended
  const cut = candidates.find((other) => JSON.stringify(other.removed) === JSON.stringify(removed))!
  return makePlan({
    model: { id: model.id, layers: model.layers, family: model.family },
    strategy: 'sweep',
    removed,
    scores: {
      strategies,
      perplexity: cut.perplexity,
      ...(cut.repaired && { repairedPerplexity: cut.repaired.perplexity }),
      wholePerplexity: whole.perplexity,
      limits,
    },
    dataset: {
      id: dataset.id,
      ...(dataset.shares && { shares: dataset.shares }),
      column: dataset.column,
      texts: dataset.texts,
    },
  })
}
