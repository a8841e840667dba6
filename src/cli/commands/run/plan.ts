import { writeFileAtomically } from '../../../base/write-files.js'
import { PLAN_LIST } from '../../../jobs/library/option-lists.js'
import { planLayers } from '../../../jobs/strategies/plan-layers.js'
import type { PlanWork } from '../../../jobs/strategies/plan-memory.js'
import type { PlanOptions } from '../../../jobs/strategies/plan-options.js'
import type { Strategy } from '../../../jobs/strategies/strategy.js'
import { formatBlocks } from '../../../model/layers/blocks.js'
import type { Plan } from '../../../results/documents/plan.js'
import type { RunRecord } from '../../../results/documents/run-record.js'
import { formatCommand, OWN_TEXTS } from '../../../results/next-command.js'
import { formatNextCut, formatTitled } from '../../terminal/next-command.js'
import { printDocument, printNote } from '../../terminal/output.js'
import { formatPlan } from '../../terminal/plan.js'
import { withFile } from './claim-output.js'
import { pick } from './pick.js'
import { recordRun } from './record-run.js'
import { asJson, partialPath, runResumable } from './resumable.js'
import { runWithHooks } from './run-hooks.js'

export interface PlanFlags extends Pick<PlanOptions, (typeof PLAN_LIST)['flags'][number]> {
  dataset?: string[]
  resume?: boolean
  output?: string
  force?: boolean
  json?: boolean
  quiet?: boolean
}

export async function run(flags: PlanFlags): Promise<void> {
  const { output, dataset = [], force } = flags
  const run = recordRun('plan', flags)
  await withFile(output, { run, force, inputs: dataset }, () => makePlan(flags, run))
}

async function makePlan(flags: PlanFlags, run: RunRecord): Promise<void> {
  const { output, resume } = flags
  await runResumable<PlanWork>({ path: partialPath(output, run), form: asJson(run), resume }, async (resuming) => {
    const made = await runWithHooks(flags, (hooks) =>
      planLayers({ ...pick(flags, PLAN_LIST.flags), ...hooks, ...resuming }),
    )
    const plan = { ...made, run }
    if (output !== undefined) await writeFileAtomically(output, `${JSON.stringify(plan, null, 2)}\n`)
    await printDocument(plan, flags, (shown, window) =>
      [formatPlan(shown, window), ...suggestNext(shown, flags)].join('\n\n'),
    )
    if (output !== undefined) printNote(`wrote the plan to ${output}`)
  })
}

/** Strategies that already measure the cut model, so `evaluate` is not suggested next. */
const CHECKED: readonly string[] = ['greedy-perplexity', 'verified', 'repaired', 'task'] satisfies Strategy[]

/** Commands that check a plan, unless its strategy did, and that make the cut. */
function suggestNext({ model, strategy, removed, dataset = {} }: Plan, flags: PlanFlags): string[] {
  const { output, maxLength = dataset.maxLength } = flags
  const isSaved = output !== undefined
  const cut = isSaved ? ['--from', output] : ['--drop', formatBlocks(removed)]
  const { texts: datasetSize, readTexts } = dataset as { texts?: number; readTexts?: number }
  const options = { dataset: [OWN_TEXTS], ...flags, datasetSize }
  const others = isSaved || readTexts === undefined ? {} : { datasetSkip: readTexts }
  const check = formatCommand('evaluate', { options: { ...options, ...others }, own: cut })
  const isRepaired = strategy === 'repaired'
  return [
    ...(CHECKED.includes(strategy) ? [] : [formatTitled('To check it by perplexity', check)]),
    formatNextCut({
      options: { ...options, maxLength },
      cut: [...cut, ...(isRepaired ? ['--repair'] : [])],
      use: isRepaired ? 'repair' : 'cut',
      isAdapter: model.base !== undefined,
    }),
  ]
}
