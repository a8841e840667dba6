import { LayerpruneError } from '../../../base/errors.js'
import { checkResult, type Expectations } from '../../../jobs/similarity/check-result.js'
import { readSavedDocuments } from '../../../results/documents/read-saved.js'
import { printFailure, printResult, setQuiet } from '../../terminal/output.js'
import { noteRecommendation } from './note-recommendation.js'

export interface CheckFlags extends Expectations {
  from: string
  quiet?: boolean
}

export async function run({ from, quiet = false, ...expected }: CheckFlags): Promise<void> {
  setQuiet(quiet)
  const { results, sweeps, evaluations, tasks, plans, prunes } = await readSavedDocuments([from])
  const [saved] = [...results, ...sweeps, ...evaluations, ...tasks, ...plans, ...prunes]
  const checks = checkResult(saved!, expected)
  const held = checks.filter(({ holds }) => holds)
  if (held.length > 0) await printResult(held.map(({ text }) => `holds: ${text}`).join('\n'))
  if (held.length === checks.length) return
  process.exitCode = 1
  const [result] = results
  const { expect: block, layersToSkip = result?.layersToSkip } = expected
  if (result) noteRecommendation(from, result, block ? block.end - block.start : layersToSkip!)
  for (const { text } of checks.filter(({ holds }) => !holds)) printFailure(new LayerpruneError(text))
}
