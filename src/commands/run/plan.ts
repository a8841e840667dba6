import { planLayers } from '../../strategies/plan-layers.js'
import { printDocument, printNote } from '../../terminal/output.js'
import { formatPlan } from '../../terminal/plan.js'
import { writeFileAtomically } from '../../write-files.js'
import { PLAN_OPTIONS, type PlanFlags } from '../plan.js'
import { checkOutputFile } from './output-file.js'
import { pick } from './pick.js'
import { runWithHooks } from './run-hooks.js'

export async function run(flags: PlanFlags): Promise<void> {
  const { output, dataset = [] } = flags
  await checkOutputFile(output, dataset)
  const plan = await runWithHooks(flags, (hooks) => planLayers({ ...pick(flags, PLAN_OPTIONS), ...hooks }))
  if (output !== undefined) await writeFileAtomically(output, `${JSON.stringify(plan, null, 2)}\n`)
  await printDocument(plan, flags, formatPlan)
  if (output !== undefined) printNote(`wrote the plan to ${output}`)
}
