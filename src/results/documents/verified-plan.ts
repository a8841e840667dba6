import { makePlan, nameModel, type Plan } from './plan.js'
import type { SimilarityResult } from './similarity-result.js'
import type { Verification } from './verification.js'

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
  })
}
