import type { PruneOptions } from '../../jobs/prune/prune.js'
import { WEIGHT_OPTIONS } from './measuring-flags.js'
import type { PruneHealFlags } from './prune-heal-flags.js'
import type { RemovalFlags } from './removal-flags.js'
import type { RepairFlags } from './repair-flags.js'

export const PRUNE_OPTIONS = [
  ...WEIGHT_OPTIONS,
  ...(['allDtypes', 'output', 'unproven', 'force', 'dryRun'] as const),
] as const

export interface PruneFlags
  extends Pick<PruneOptions, (typeof PRUNE_OPTIONS)[number]>,
    RemovalFlags,
    RepairFlags,
    PruneHealFlags {
  samples?: number
  speed: boolean
  json?: boolean
  quiet?: boolean
}
