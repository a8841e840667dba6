import { formatQuantity } from '../../base/format-numbers.js'
import { listEvaluationColumns, listEvaluationRows, listPairRows } from '../../results/documents/evaluation-columns.js'
import type { EvaluationResult } from '../../results/documents/evaluation-result.js'
import { formatRows } from './table.js'

/** The perplexity of the whole model and each candidate, or of two models, as a table for `width` columns. */
export function formatEvaluation(result: EvaluationResult, { width = 80, color = false } = {}): string {
  const rows = result.against === undefined ? listEvaluationRows(result) : listPairRows(result)
  const table = formatRows(listEvaluationColumns(result), rows, {
    width,
    color,
    isMarked: ({ isLowest }) => isLowest && result.candidates.length > 1,
  })
  return [table, '', describeProtocol(result)].join('\n')
}

/** `Over 4 texts of at most 256 tokens: 1,020 tokens scored, every token but the first of each text.` */
function describeProtocol({ dataset, settings, shard }: EvaluationResult): string {
  const { texts, scoredTokens, skippedTexts } = dataset
  const after = skippedTexts === 0 ? '' : ` after the first ${formatQuantity(skippedTexts, 'text')}`
  return `Over ${formatQuantity(texts, 'text')}${after} of at most ${settings.maxLength} tokens: ${formatQuantity(scoredTokens, 'token')} scored, ${settings.scored}.${shard === undefined ? '' : `\nSHARD ${shard.index} of ${shard.count}: layerprune merge combines the shards.`}`
}
