import { basename, resolve } from 'node:path'
import { type Recommending, recommendBlock } from '../documents/result-views.js'
import type { SimilarityResult } from '../documents/similarity-result.js'
import { formatBlocks } from '../layers/blocks.js'
import { quoteForShell } from '../quote-for-shell.js'

/** The command that removes the recommended block, ready to be copied. */
export function formatNextCommand(result: Pick<SimilarityResult, 'model'> & Recommending): string {
  const block = recommendBlock(result, result.layersToSkip)
  return formatPruneCommand(result.model, ['--drop', formatBlocks([block])])
}

/**
 * The command that makes the cut of a plan.
 * @param file  the plan
 * @param repairTexts  texts to repair it on, if it was measured repaired
 */
export function formatPlanCommand(
  model: SimilarityResult['model'],
  file: string,
  repairTexts?: string,
): string {
  return formatPruneCommand(model, [
    '--plan',
    file,
    ...(repairTexts === undefined ? [] : ['--repair', '--dataset', repairTexts]),
  ])
}

function formatPruneCommand({ id, askedRevision }: SimilarityResult['model'], removal: string[]): string {
  const words = [
    ...['layerprune', 'prune', '--model', id],
    ...(askedRevision === null ? [] : ['--revision', askedRevision]),
    ...[...removal, '-o', `${basename(resolve(id))}-pruned`],
  ]
  return `To make the cut:\n  ${words.map(quoteForShell).join(' ')}`
}
