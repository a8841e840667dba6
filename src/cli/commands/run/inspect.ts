import { type Inspection, inspectModel } from '../../../jobs/inspect/inspect-model.js'
import { INSPECT_LIST } from '../../../jobs/library/option-lists.js'
import { formatInspection } from '../../terminal/inspection.js'
import { nameFlags, printDocument } from '../../terminal/output.js'
import type { WeightFlags } from '../measuring-flags.js'
import { pick } from './pick.js'
import { runWithHooks } from './run-hooks.js'

export interface InspectFlags extends WeightFlags {
  json?: boolean
  quiet?: boolean
}

export async function run(flags: InspectFlags): Promise<void> {
  const inspection = await runWithHooks(flags, (hooks) =>
    inspectModel({ ...pick(flags, INSPECT_LIST.flags), ...hooks }),
  )
  await printDocument(withFlags(inspection), flags, formatInspection)
  if (!inspection.analysis.possible) process.exitCode = 1
}

function withFlags(inspection: Inspection): Inspection {
  const { analysis } = inspection
  if (analysis.possible) return inspection
  const hint = analysis.hint === null ? null : nameFlags(analysis.hint)
  return { ...inspection, analysis: { ...analysis, problem: nameFlags(analysis.problem), hint } }
}
