import { formatBlocks } from '../../model/layers/blocks.js'
import { type Recommending, recommendBlock } from '../../results/documents/result-views.js'
import type { SimilarityResult } from '../../results/documents/similarity-result.js'
import { formatCommand, formatPruneCommand, type NamedCut } from '../../results/prune-command.js'

/** A command to copy, under a line that says what it does. */
export function formatNextCommand(
  title: string,
  { command, ...words }: { command: string } & Parameters<typeof formatCommand>[1],
): string {
  return `${title}:\n  ${formatCommand(command, words)}`
}

export function formatNextCut(cut: NamedCut, title = 'To make the cut'): string {
  return `${title}:\n  ${formatPruneCommand(cut)}`
}

/** The command that removes the block that a result recommends, or the nearest if nothing checked it. */
export function formatCutOfResult(result: Pick<SimilarityResult, 'model'> & Recommending): string {
  const { id, askedRevision } = result.model
  const block = recommendBlock(result, result.layersToSkip)
  return formatNextCut(
    { model: id, revision: askedRevision, cut: ['--drop', formatBlocks([block])] },
    result.verification ? 'To make the cut' : 'To cut the nearest block without that check',
  )
}

/** The command that measures what the nearest blocks of every size cost, beside this result's folder. */
export function formatSweepAdvice({ model, dataset }: Pick<SimilarityResult, 'model' | 'dataset'>): string {
  return formatNextCommand('To measure by perplexity what such cuts cost', {
    command: 'sweep',
    model: model.id,
    revision: model.askedRevision,
    words: ['--dataset', dataset.id, '-o', 'layerprune-sweep'],
  })
}
