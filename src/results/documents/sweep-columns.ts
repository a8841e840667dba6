import {
  formatAccuracy,
  formatDistance,
  formatPerplexity,
  formatShare,
  formatSize,
  formatSpeed,
} from '../../base/format-numbers.js'
import type { Block } from '../../model/layers/block.js'
import { formatRemoved } from '../../model/layers/names.js'
import type { Extent, SweepCandidate, SweepResult } from './sweep-result.js'
import type { TableColumn } from './table-column.js'
import { listShownTasks } from './task-measures.js'
import type { TaskFigures } from './task-result.js'

/** The whole model or a cut. */
export interface SweepRow extends Extent {
  layersToSkip: number
  /** Empty for the whole model. */
  removed: Block[]
  strategies: string[]
  distance: number | null
  /** Null if it is not finite. */
  perplexity: number | null
  /** Its perplexity over the whole model's; null if it is not finite. */
  ratio: number | null
  kl: number | null
  agreement: number | null
  /** Perplexity of the repaired cut. */
  repaired: number | null
  /** Whether the perplexity is an estimate from the first texts. */
  isEstimate: boolean
  tasks: Record<string, TaskFigures | null>
  isRecommended: boolean
}

type Column = TableColumn<SweepRow>

/** The rows of a sweep's tables: the whole model, then the cuts by size. */
export function listSweepRows(result: SweepResult): SweepRow[] {
  const { parameters, bytes, tokensPerSecond, perplexity, tasks = {} } = result.whole
  const whole: SweepRow = {
    ...{ layersToSkip: 0, removed: [], strategies: [], distance: null, perplexity, ratio: 1 },
    ...{ kl: 0, agreement: 1, repaired: null, isEstimate: false, tasks, isRecommended: false },
    ...{ parameters, bytes, tokensPerSecond },
  }
  return [whole, ...result.candidates.map((cut) => makeRow(cut, result))]
}

function makeRow(cut: SweepCandidate, { whole, dataset, recommended }: SweepResult): SweepRow {
  const { kl, agreement } = cut.perplexity === null ? { kl: null, agreement: null } : cut
  return {
    ...{ layersToSkip: cut.layersToSkip, removed: cut.removed, strategies: cut.strategies },
    ...{ distance: cut.distance, perplexity: cut.perplexity, kl, agreement },
    ratio: cut.perplexity === null ? null : cut.perplexity / whole.perplexity,
    ...{ repaired: cut.repaired?.perplexity ?? null, isEstimate: cut.texts < dataset.texts },
    ...{ parameters: cut.parameters, bytes: cut.bytes, tokensPerSecond: cut.tokensPerSecond },
    tasks: cut.tasks ?? {},
    isRecommended: recommended !== null && JSON.stringify(cut.removed) === JSON.stringify(recommended.removed),
  }
}

export function listSweepColumns(result: SweepResult): Column[] {
  return [...listChoice(result), ...listLosses(result), ...listAccuracies(result), ...listGains(result)]
}

/** What is removed, and by which strategy. */
function listChoice({ strategies, candidates }: SweepResult): Column[] {
  const hasDistance = candidates.some(({ distance }) => distance !== null)
  return [
    {
      ...{ title: 'n', align: 'right', from: 60, page: {} },
      cell: ({ layersToSkip }) => `${layersToSkip}`,
    },
    {
      ...{ title: 'layers removed', align: 'left', from: 0, page: { title: 'removed' } },
      cell: ({ removed }) => formatRemoved(removed),
    },
    {
      ...{ title: 'strategy', align: 'left', page: { title: 'chosen by', isWide: true } },
      from: strategies.length > 1 ? 100 : undefined,
      cell: ({ strategies }) => strategies.join(', '),
    },
    {
      ...{ title: 'distance', align: 'right', from: hasDistance ? 140 : undefined },
      cell: ({ distance }) => (distance === null ? '' : formatDistance(distance)),
    },
  ]
}

/** What a cut costs in next-token predictions. */
function listLosses({ whole, candidates }: SweepResult): Column[] {
  const isRepaired = candidates.some(({ repaired }) => repaired !== undefined)
  return [
    {
      ...{ title: 'perplexity', align: 'right', from: 0, page: {} },
      cell: ({ perplexity, isEstimate }) =>
        perplexity === null ? 'not finite' : `${isEstimate ? '~' : ''}${formatPerplexity(perplexity)}`,
    },
    {
      ...{ title: '× whole', align: 'right', from: 0, page: {} },
      cell: ({ ratio }) => (ratio === null ? '' : formatPerplexity(ratio)),
    },
    {
      ...{ title: 'repaired', align: 'right', from: isRepaired ? 0 : undefined },
      page: isRepaired ? {} : undefined,
      cell: ({ repaired }) => (repaired === null ? '' : formatPerplexity(repaired / whole.perplexity)),
    },
    {
      ...{ title: 'KL', align: 'right', from: 88, page: { isWide: true } },
      cell: ({ removed, kl }) => (removed.length === 0 || kl === null ? '' : formatDistance(kl)),
    },
    {
      ...{ title: 'agreement', align: 'right', from: 124, page: { isWide: true } },
      cell: ({ removed, agreement }) => (removed.length === 0 || agreement === null ? '' : formatShare(agreement)),
    },
  ]
}

/** A column for each task, and one for each group of tasks. */
function listAccuracies({ whole: { tasks = {} } }: SweepResult): Column[] {
  return listShownTasks(tasks).map((name) => ({
    ...{ title: name, align: 'right', from: 0, page: {} },
    cell: ({ tasks }) => formatAccuracy(tasks[name]?.acc),
  }))
}

/** What a cut gains in size and speed, and whether it is recommended. */
function listGains({ recommended }: SweepResult): Column[] {
  return [
    {
      ...{ title: 'size', align: 'right', from: 0, page: {} },
      cell: ({ bytes }) => formatSize(bytes),
    },
    {
      ...{ title: 'tokens/s', align: 'right', from: 72, page: { isWide: true } },
      cell: ({ tokensPerSecond }) => formatSpeed(tokensPerSecond),
    },
    {
      ...{ title: '', align: 'left', from: recommended === null ? undefined : 0 },
      cell: ({ isRecommended }) => (isRecommended ? '<- recommended' : ''),
    },
  ]
}
