import type { Recommending } from '../../results/documents/result-views.js'
import type { SimilarityResult } from '../../results/documents/similarity-result.js'
import { type CarriedOptions, formatCommand, formatPruneCommand, type NamedCut } from '../../results/next-command.js'

/** A command to copy, under a line that says what it does. */
export function formatTitled(title: string, command: string): string {
  return `${title}:\n  ${command}`
}

export function formatNextCut(cut: NamedCut, title = 'To make the cut'): string {
  return formatTitled(title, formatPruneCommand(cut))
}

/**
 * The command that removes the block that a result recommends, or the nearest if nothing checked it.
 * @param saved  where the result is, which names the block and the texts that it was chosen on
 */
export function formatCutOfResult(
  { model, verification }: Pick<SimilarityResult, 'model'> & Pick<Recommending, 'verification'>,
  options: CarriedOptions,
  saved: string,
): string {
  const { file, base } = model
  return formatNextCut(
    { options, cut: ['--from', saved], file, isAdapter: base !== undefined },
    verification ? 'To make the cut' : 'To cut the nearest block without that check',
  )
}

/** Share of a dataset's texts to choose layers on, if it has no more; the rest is left to measure the cuts on. */
const CHOOSING_SHARE = 0.8
/** Texts that `sweep` reads by default; it chooses layers on half of them. */
const SWEPT_TEXTS = 64

/** The command that measures what the nearest blocks of every size cost, beside this result's folder. */
export function formatSweepAdvice(
  { dataset: { samples } }: Pick<SimilarityResult, 'dataset'>,
  options: CarriedOptions,
): string {
  const { datasetSize } = options
  const hasOthers = datasetSize === undefined ? samples >= SWEPT_TEXTS : samples === datasetSize
  const fewer = hasOthers ? {} : { datasetSize: Math.max(1, Math.floor(CHOOSING_SHARE * samples)) }
  return formatTitled(
    'To measure by perplexity what such cuts cost',
    formatCommand('sweep', { options: { ...options, ...fewer }, last: ['-o', 'layerprune-sweep'] }),
  )
}
