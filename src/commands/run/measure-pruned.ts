import type { Plan } from '../../documents/plan.js'
import type { PruneResult } from '../../documents/prune-result.js'
import { UsageError } from '../../errors.js'
import { type ComparisonOptions, comparePruned } from '../../prune/compare-pruned.js'
import type { SampleOptions } from '../../prune/write-samples.js'
import { CALIBRATION_TEXTS } from '../../repair/repair-texts.js'
import type { PruneFlags } from '../prune.js'
import { pick } from './pick.js'

/** Whether both models are run at the end. */
export function measuresModels({ speed, dryRun }: PruneFlags): boolean {
  return speed && dryRun !== true
}

const DEFAULT_SAMPLES = 3

/**
 * The texts that both models continue: with a repair those that it is measured on, else those after the texts that the
 * plan says it was made from.
 * @returns undefined if no texts are given, or no samples wanted
 * @throws UsageError if samples are asked for and no texts are given
 */
export function chooseSamples(flags: PruneFlags, plan: Plan): SampleOptions | undefined {
  const { samples: count = DEFAULT_SAMPLES, repair, dataset, evaluateOn } = flags
  if (dataset === undefined && flags.samples) throw new UsageError('--samples needs texts: give --dataset')
  if (dataset === undefined || count === 0) return undefined
  const { datasetSize = CALIBRATION_TEXTS } = flags
  const skip = repair ? (evaluateOn === undefined ? datasetSize : 0) : countPlanTexts(plan, dataset)
  const options = pick(flags, ['datasetColumn', 'datasetConfig', 'datasetSplit', 'shuffle'])
  return { ...options, dataset: evaluateOn ?? dataset, count, skip }
}

/** Texts from the start of a dataset that a plan was made from. */
function countPlanTexts({ dataset }: Plan, given: string | string[]): number {
  if (dataset === undefined || dataset.id !== [given].flat().join(', ')) return 0
  const { texts, verification } = dataset as { texts: number; verification?: { texts: number } }
  return texts + (verification?.texts ?? 0)
}

/** Runs both models. */
export async function measurePruned(
  options: ComparisonOptions,
): Promise<Pick<PruneResult, 'tokensPerSecond' | 'samples'>> {
  const measures = await comparePruned(options)
  if (measures === null) return { tokensPerSecond: null }
  const { tokensPerSecond, samples } = measures
  return { tokensPerSecond, ...(options.samples ? { samples } : {}) }
}
