import { LayerpruneError } from '../../../base/errors.js'
import { checkResult, type Expectations } from '../../../jobs/similarity/check-result.js'
import { readSimilarityResult } from '../../../results/documents/read-saved.js'
import { printFailure, printResult } from '../../terminal/output.js'
import { noteRecommendation } from './note-recommendation.js'

export interface CheckFlags extends Expectations {
  from: string
}

export async function run({ from, ...expected }: CheckFlags): Promise<void> {
  const result = await readSimilarityResult(from)
  const checks = checkResult(result, expected)
  const { expect: block, layersToSkip = result.layersToSkip } = expected
  noteRecommendation(from, result, block ? block.end - block.start : layersToSkip)
  const held = checks.filter(({ holds }) => holds)
  if (held.length > 0) await printResult(held.map(({ text }) => `holds: ${text}`).join('\n'))
  for (const { text } of checks.filter(({ holds }) => !holds)) {
    printFailure(new LayerpruneError(text))
    process.exitCode = 1
  }
}
