import { makePlan, nameModel, type Plan } from './plan.js'
import type { SimilarityResult } from './similarity-result.js'
import type { SweepResult } from './sweep-result.js'
import { chosenOn, recordTexts } from './text-uses.js'
import type { Verification } from './verification.js'

/** The candidate that a sweep recommends; undefined if there is none. */
export function findRecommendedCut({
  candidates,
  recommended,
}: Pick<SweepResult, 'candidates' | 'recommended'>): SweepResult['candidates'][number] | undefined {
  return candidates.find(({ removed }) => JSON.stringify(removed) === JSON.stringify(recommended?.removed))
}

/** The plan of the recommended cut; null if there is none. */
export function planRecommended({
  model,
  dataset,
  settings,
  candidates,
  recommended,
  whole,
  limits,
  chosenOn: chosen,
}: SweepResult): Plan | null {
  if (recommended === null) return null
  const { removed, strategies } = recommended
  const cut = findRecommendedCut({ candidates, recommended })!
  return makePlan({
    model: nameModel(model),
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
      readTexts: dataset.skippedTexts + (settings.datasetSize ?? dataset.texts),
      ...(settings.shuffle !== undefined && { shuffle: settings.shuffle }),
    },
    texts: chosenOn(chosen, recordTexts(dataset, settings)),
  })
}

/** The plan that removes the block that perplexity recommends. */
export function planVerifiedBlock(
  { model, metric, dataset, settings }: Pick<SimilarityResult, 'model' | 'metric' | 'dataset' | 'settings'>,
  { recommended, blocks, perplexity, dataset: checked, settings: asked }: Verification,
): Plan {
  return makePlan({
    model: nameModel(model),
    strategy: 'verified',
    removed: [recommended],
    scores: {
      ...(metric === 'angular' ? {} : { metric }),
      perplexity: recommended.perplexity,
      wholePerplexity: perplexity,
      blocks,
    },
    dataset: {
      id: dataset.id,
      ...(dataset.shares && { shares: dataset.shares }),
      column: dataset.column,
      texts: dataset.samples,
      maxLength: settings.maxLength,
      verification: { skippedTexts: checked.skippedTexts, texts: checked.texts },
      readTexts: checked.skippedTexts + (asked.datasetSize ?? checked.texts),
      ...(settings.shuffle !== undefined && { shuffle: settings.shuffle }),
    },
    texts: chosenOn(recordTexts(dataset, settings), recordTexts(checked, asked)),
  })
}
