import type { PRUNE_LIST } from '../../jobs/library/option-lists.js'
import type { PruneOptions } from '../../jobs/prune/prune.js'
import type { ExportFlag } from './export-flag.js'
import type { PruneHealFlags } from './prune-heal-flags.js'
import type { RemovalFlags } from './removal-flags.js'
import type { RepairFlags } from './repair-flags.js'

export interface PruneFlags
  extends Pick<PruneOptions, (typeof PRUNE_LIST)['flags'][number]>,
    RemovalFlags,
    RepairFlags,
    PruneHealFlags,
    ExportFlag {
  samples?: number
  speed: boolean
  json?: boolean
  quiet?: boolean
}
