import { UsageError } from '../../base/errors.js'
import { formatList } from '../../base/format-numbers.js'
import { nameFlag, nameOption } from '../../base/name-option.js'
import type { Shard } from '../../texts/tokens/placed-rows.js'
import { assertCounts, assertRunCounts, type RunOptions } from '../run/run-options.js'
import type { ResumeOptions } from '../run/saved-work.js'
import type { TaskOptions } from '../tasks/prepare-tasks.js'
import type { SweepProgress } from './progress.js'

/** Strategies that a sweep takes. */
export const SWEEP_STRATEGIES = [
  ...(['verified', 'angular', 'block-influence', 'greedy-perplexity', 'repaired', 'task', 'deepest'] as const),
] as const

export type SweepStrategy = (typeof SWEEP_STRATEGIES)[number]

export interface SweepOptions extends RunOptions, Partial<TaskOptions>, ResumeOptions<SweepProgress> {
  /** `verified` if omitted. */
  strategies?: SweepStrategy[] | undefined
  /** Numbers of layers to remove; 1 to half of the model's layers if omitted. */
  sizes?: number[] | undefined
  /** Texts that the layers are chosen on, the first of the dataset; 32 if omitted. */
  datasetSize?: number | undefined
  /** Texts that cuts are measured on, those that follow; 32 if omitted. */
  verifySize?: number | undefined
  /** Whether every cut is measured repaired too. */
  repair?: boolean | undefined
  /** Whether every cut is measured on all texts, also those that lose much on the first ones. */
  full?: boolean | undefined
  /** Memory limit of the process in bytes; layers are then loaded as needed. */
  maxMemory?: number | undefined
  /** Measures every Nth candidate from the ith on. */
  shard?: Shard | undefined
  /** The largest perplexity of a cut as a multiple of the whole model's; above 1. */
  maxPerplexityRatio?: number | undefined
  /** The largest size on disk of the weights of a cut, in bytes. */
  maxSize?: number | undefined
  /** The least accuracy on tasks, by name; above 0. */
  minTask?: Record<string, number> | undefined
  /** Number of texts that the whole model and the recommended cut continue; 0 if omitted. */
  samples?: number | undefined
}

/** Options with omitted ones filled in for a model. */
export type SweepSettings = SweepOptions &
  Required<{ [K in 'strategies' | 'sizes' | 'datasetSize' | 'verifySize']: NonNullable<SweepOptions[K]> }>

const DEFAULT_TEXTS = 32

/** @throws UsageError if an option is out of range, or does not fit the model */
export function chooseSweepSettings(options: SweepOptions, layers: number): SweepSettings {
  const { strategies = ['verified'], datasetSize = DEFAULT_TEXTS, verifySize = DEFAULT_TEXTS } = options
  const { maxPerplexityRatio, maxSize, minTask, shard } = options
  const sizes = options.sizes ?? Array.from({ length: Math.max(1, Math.floor(layers / 2)) }, (_, index) => index + 1)
  assertRunCounts({ ...options, datasetSize })
  assertCounts({ 'texts to verify on': verifySize })
  const wrong = sizes.find((size) => !(Number.isSafeInteger(size) && size > 0 && size < layers))
  if (sizes.length === 0 || wrong !== undefined) {
    if (layers < 2) throw new UsageError('a model of 1 layer has no block to remove: one layer must be kept')
    throw new UsageError(`sizes must be 1 to ${layers - 1}, for a model of ${layers} layers, found ${wrong}`)
  }
  const unknown = strategies.find((name) => !SWEEP_STRATEGIES.includes(name))
  if (strategies.length === 0 || unknown !== undefined) {
    throw new UsageError(`a sweep takes the strategies ${formatList([...SWEEP_STRATEGIES])}, found ${unknown}`)
  }
  if (maxPerplexityRatio !== undefined && !(maxPerplexityRatio > 1)) {
    throw new UsageError(`the perplexity ratio must be above 1, found ${maxPerplexityRatio}`)
  }
  if (shard !== undefined && (maxPerplexityRatio ?? maxSize ?? minTask) !== undefined) {
    throw new UsageError('a shard measures only some of the cuts, so it cannot find the largest within limits', {
      hint: 'give the limits to layerprune merge',
    })
  }
  if (strategies.includes('task') && options.tasks === undefined) {
    throw new UsageError('the strategy task needs a task: give `task`')
  }
  assertWithinMemory(options)
  assertSamples(options)
  return {
    ...options,
    strategies: [...new Set(strategies)],
    sizes: [...new Set(sizes)].sort((a, b) => a - b),
    datasetSize,
    verifySize,
  }
}

/** @throws UsageError if `maxMemory` is combined with an option that needs the whole model in memory */
function assertWithinMemory({ maxMemory, repair, strategies = [], tasks, samples = 0 }: SweepOptions): void {
  if (maxMemory === undefined) return
  assertCounts({ 'max memory': maxMemory })
  if (repair || strategies.includes('repaired')) {
    throw new UsageError('a repair is fitted with the whole model loaded, which a memory limit does not allow', {
      hint: 'omit `repair` here, and give it to prune on a machine with enough memory',
    })
  }
  if (tasks !== undefined) {
    throw new UsageError('tasks run with the whole model loaded, which a memory limit does not allow', {
      hint: 'omit `maxMemory`, or measure the cuts on texts alone',
    })
  }
  if (samples > 0) {
    throw new UsageError(
      'each token of a sample needs the whole model, which a memory limit would load again each time',
      {
        hint: 'omit `samples` here, and give it to prune',
      },
    )
  }
}

/** @throws UsageError if samples are requested but no unrepaired cut can be recommended */
function assertSamples({ samples = 0, shard, repair, maxPerplexityRatio, maxSize, minTask }: SweepOptions): void {
  if (!(Number.isSafeInteger(samples) && samples >= 0)) {
    throw new UsageError(`samples must be a whole number of at least 0, found ${samples}`)
  }
  if (samples === 0) return
  if (shard !== undefined) {
    throw new UsageError('samples show the recommended cut, and a shard recommends none', {
      hint: 'omit `samples` here: layerprune merge prints the command that shows them',
    })
  }
  if ((maxPerplexityRatio ?? maxSize ?? minTask) === undefined) {
    throw new UsageError('`samples` needs a limit, such as `maxPerplexityRatio`', {
      hint: 'add `maxPerplexityRatio`, `maxSize` or `minTask`',
    })
  }
  if (repair) {
    throw new UsageError('samples show the cut without a repair', {
      hint: `omit ${nameOption('samples')} here, and give it to prune ${nameFlag('repair')}`,
    })
  }
}
