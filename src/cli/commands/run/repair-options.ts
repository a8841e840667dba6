import { UsageError } from '../../../base/errors.js'
import { nameFlag } from '../../../base/name-option.js'
import { REPAIR_LIST } from '../../../jobs/library/option-lists.js'
import type { PhaseFigures } from '../../../jobs/repair/phase-meter.js'
import type { RepairModelOptions } from '../../../jobs/repair/repair-model.js'
import { printNote } from '../../terminal/output.js'
import { formatRepairPhases } from '../../terminal/repaired.js'
import type { PruneHealFlags } from '../prune-heal-flags.js'
import { MEASURING_ONLY, type RepairFlags } from '../repair-flags.js'
import { pick } from './pick.js'

/**
 * Options of the repair from the flags; undefined if none is requested.
 * @throws UsageError if they contradict each other
 */
export function readRepairOptions(
  flags: RepairFlags & PruneHealFlags & { dryRun?: boolean | undefined },
): Omit<RepairModelOptions, 'model' | 'removed'> | undefined {
  if (!flags.repair) {
    if (flags.datasetSize !== undefined) throw new UsageError('--dataset-size requires --repair')
    const own = (['verbose', 'maxMemory', 'batchSize'] as const).find((name) => flags[name] !== undefined)
    if (own !== undefined) throw new UsageError(`${nameFlag(own)} requires --repair`)
    if (flags.resume && !flags.heal) throw new UsageError('--resume requires --repair or --heal')
    const given = flags.heal ? undefined : MEASURING_ONLY.find((name) => flags[name] !== undefined)
    if (given !== undefined) throw new UsageError(`${nameFlag(given)} requires --repair or --heal`)
    return undefined
  }
  if (flags.dryRun)
    throw new UsageError('--repair cannot be combined with --dry-run, because a repair is a measurement')
  if (flags.heal && flags.maxMemory !== undefined) {
    throw new UsageError('--max-memory is not supported with --heal', {
      hint: 'repair the model first, and give layerprune heal a --max-memory of its own',
    })
  }
  const { dataset } = flags
  if (dataset === undefined) throw new UsageError('--repair needs texts to fit on: give --dataset')
  const onPhases = flags.verbose ? (phases: PhaseFigures[]) => printNote(formatRepairPhases(phases)) : undefined
  return { ...pick(flags, REPAIR_LIST.flags), dataset, evaluateFirst: flags.heal, onPhases }
}
