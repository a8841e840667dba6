import type { EvaluationResult } from '../../documents/evaluation-result.js'
import { evaluatePerplexity } from '../../evaluate/perplexity.js'
import { formatBlocks } from '../../layers/blocks.js'
import { locateModel } from '../../model.js'
import { formatEvaluation } from '../../terminal/evaluation.js'
import { formatPruneCommand } from '../../terminal/next-command.js'
import { printDocument, setQuiet } from '../../terminal/output.js'
import { writeFileAtomically } from '../../write-files.js'
import { EVALUATE_OPTIONS, type EvaluateFlags } from '../evaluate.js'
import { checkOutputFile } from './output-file.js'
import { pick } from './pick.js'
import { planRemoval, readRemovals } from './removal.js'
import { runWithHooks } from './run-hooks.js'

export async function run(flags: EvaluateFlags): Promise<void> {
  const { output, plan = [], from } = flags
  setQuiet(flags.quiet ?? false)
  await checkOutputFile(output, [...flags.dataset, from, ...plan])
  const removals = await readRemovals(flags)
  const result = await runWithHooks(flags, async (hooks) => {
    const options = { ...pick(flags, EVALUATE_OPTIONS), ...hooks }
    const { config } = await locateModel({ ...options, onNote: undefined })
    const model = { id: flags.model, layers: config.layers, family: config.modelType }
    const plans = await Promise.all(removals.map((removal) => planRemoval(removal, model)))
    return evaluatePerplexity({ ...options, candidates: plans.map(({ removed }) => removed) })
  })
  if (output !== undefined) await writeFileAtomically(output, `${JSON.stringify(result, null, 2)}\n`)
  await printDocument(result, flags, (shown, window) =>
    [formatEvaluation(shown, window), ...suggestCut(shown, flags)].join('\n\n'),
  )
}

/** The command that makes the cut of the lowest perplexity, if any has one. */
function suggestCut({ candidates }: EvaluationResult, { model, revision }: EvaluateFlags): string[] {
  const finite = candidates.filter((candidate) => candidate.perplexity !== null)
  if (finite.length === 0) return []
  const lowest = finite.reduce((a, b) => (b.perplexity < a.perplexity ? b : a))
  const title = candidates.length === 1 ? 'To make the cut' : 'To make the cut of the lowest perplexity'
  return [formatPruneCommand({ model, revision }, ['--drop', formatBlocks(lowest.removed)], title)]
}
