import { resolve } from 'node:path'
import { UsageError } from '../../../base/errors.js'
import { type ComparisonOptions, comparePruned } from '../../../jobs/prune/compare-pruned.js'
import type { SampleOptions } from '../../../jobs/prune/write-samples.js'
import { CALIBRATION_TEXTS, EVALUATION_TEXTS } from '../../../jobs/repair/repair-texts.js'
import type { Plan } from '../../../results/documents/plan.js'
import type { PruneResult } from '../../../results/documents/prune-result.js'
import type { PruneFlags } from '../prune-flags.js'
import { pick } from './pick.js'

export function measuresModels({ speed, dryRun }: PruneFlags): boolean {
  return speed && dryRun !== true
}

const DEFAULT_SAMPLES = 3

/**
 * The texts that both models continue: those after the ones that the repair is fitted on, and after those that the plan
 * says it was made from; with training, of the first ones, which are not trained on.
 * @returns undefined if no texts are given, or no samples wanted
 * @throws UsageError if samples are asked for and no texts are given
 */
export function chooseSamples(
  flags: PruneFlags,
  plan: Plan,
  onNote?: (message: string) => void,
): SampleOptions | undefined {
  const { samples: count = DEFAULT_SAMPLES, repair, heal, dataset, evaluateOn, shuffle } = flags
  if (dataset === undefined && flags.samples) throw new UsageError('--samples needs texts: give --dataset')
  if (dataset === undefined || count === 0) return undefined
  const { datasetSize = CALIBRATION_TEXTS, evaluateSize = EVALUATION_TEXTS, datasetSkip = 0 } = flags
  const texts = evaluateOn ?? dataset
  const planTexts = countPlanTexts(plan, texts)
  if (planTexts > 0 && plan.dataset!.shuffle !== shuffle) {
    onNote?.('samples may use texts that the layers were chosen on: those were read with another --shuffle')
  }
  const isHeldOut = heal && evaluateOn === undefined
  const before = evaluateOn === undefined ? datasetSkip : 0
  const fitted = repair && !isHeldOut && evaluateOn === undefined ? datasetSize : 0
  const skip = isHeldOut && planTexts >= before + evaluateSize ? before : Math.max(before + fitted, planTexts)
  const options = pick(flags, [
    ...(['datasetColumn', 'datasetConfig', 'datasetSplit', 'datasetRevision'] as const),
    ...(['shuffle', 'textLines'] as const),
  ])
  return { ...options, dataset: texts, count, skip }
}

/** Number of texts at the start of the dataset that the plan was made from. */
function countPlanTexts({ dataset }: Plan, given: string | string[]): number {
  if (dataset === undefined || !isSameDataset(String(dataset.id), [given].flat())) return 0
  const { texts, readTexts, verification } = dataset as {
    texts: number
    readTexts?: number
    verification?: { texts: number }
  }
  return readTexts ?? texts + (verification?.texts ?? 0)
}

/** Compares files by their paths, however these are written. */
function isSameDataset(id: string, given: string[]): boolean {
  const spell = (paths: string[]) => paths.map((path) => resolve(path)).join('\n')
  return spell(id.split(', ')) === spell(given)
}

export async function measurePruned(
  options: ComparisonOptions,
): Promise<Pick<PruneResult, 'tokensPerSecond' | 'samples'>> {
  const measures = await comparePruned(options)
  if (measures === null) return { tokensPerSecond: null }
  const { tokensPerSecond, samples } = measures
  return { tokensPerSecond, ...(options.samples ? { samples } : {}) }
}
