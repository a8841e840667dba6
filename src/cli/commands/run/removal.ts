import { UsageError } from '../../../base/errors.js'
import { makePlan, type Plan, type PlannedModel } from '../../../results/documents/plan.js'
import type { RemovalFlags } from '../removal-flags.js'
import { type Removal, readSavedCut } from './saved-cut.js'

const WAYS = '--start and --end, --drop or --from'

/**
 * @throws UsageError if none or more than one removal is named
 * @throws LayerpruneError if a file they name cannot be used
 */
export async function readRemoval(flags: RemovalFlags): Promise<Removal> {
  const [removal, another] = await readRemovals(flags)
  if (removal === undefined) throw new UsageError(`no layers are named: give ${WAYS}`)
  if (another !== undefined) throw namedTwice()
  return removal
}

/**
 * Every removal that the flags name; none if they name none. Only --drop and --from can name several.
 * @throws UsageError if ways that name one are mixed with another
 * @throws LayerpruneError if a file they name cannot be used
 */
export async function readRemovals(flags: RemovalFlags): Promise<Removal[]> {
  const { start, end, drop = [], layersToSkip } = flags
  const files = listSavedFiles(flags)
  const ways = [start ?? end, drop[0] ?? files[0]].filter((way) => way !== undefined)
  if (ways.length > 1) throw namedTwice()
  if (layersToSkip !== undefined && files.length === 0) {
    throw new UsageError('--layers-to-skip requires --from')
  }
  if (start !== undefined || end !== undefined) {
    if (start === undefined) throw new UsageError('--end requires --start')
    if (end === undefined) throw new UsageError('--start requires --end')
    return [{ blocks: [{ start, end }], strategy: 'explicit' }]
  }
  const saved = await Promise.all(files.map((file) => readSavedCut(file, layersToSkip)))
  return [...drop.map((blocks) => ({ blocks, strategy: 'explicit' })), ...saved]
}

/** The files of --from and of its alias. */
export function listSavedFiles({ from = [], plan = [] }: Pick<RemovalFlags, 'from' | 'plan'>): string[] {
  return [...from, ...plan]
}

/** @throws UsageError if the layers do not fit the model that the plan is for */
export async function planRemoval(removal: Removal, model: PlannedModel): Promise<Plan> {
  const { blocks, origin, ...chosen } = removal
  if (origin !== undefined && origin.layers !== model.layers) {
    throw new UsageError(
      `${origin.file} is about ${origin.model}, a model of ${origin.layers} layers; ${model.id} has ${model.layers}`,
    )
  }
  return makePlan({ model, removed: blocks, ...chosen })
}

function namedTwice(): UsageError {
  return new UsageError(`the layers to remove are named more than once: give one of ${WAYS}`)
}
