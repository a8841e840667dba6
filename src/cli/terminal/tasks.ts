import { formatCount, formatPerplexity, formatQuantity } from '../../base/format-numbers.js'
import type { PairedDifference } from '../../base/statistics/paired-difference.js'
import { formatBlocks } from '../../model/layers/blocks.js'
import { formatLayers } from '../../model/layers/names.js'
import { listShownTasks } from '../../results/documents/shown-tasks.js'
import {
  type CutTaskFigures,
  TASK_METRICS,
  type TaskFigures,
  type TaskMetric,
  type TaskResult,
} from '../../results/documents/task-result.js'
import { formatNextCut } from './next-command.js'
import { type Column, formatTable } from './table.js'

type Measured = Pick<TaskResult, 'tasks' | 'candidates' | 'taskSettings'>

/** Columns that a narrow window has no room for come last. */
const COLUMNS: { column: Column; from: number }[] = [
  { column: { title: 'task', align: 'left' }, from: 0 },
  { column: { title: 'documents', align: 'right' }, from: 110 },
  { column: { title: 'examples', align: 'right' }, from: 124 },
  { column: { title: 'metric', align: 'left' }, from: 0 },
  { column: { title: 'layers removed', align: 'left' }, from: 0 },
  { column: { title: 'value', align: 'right' }, from: 0 },
  { column: { title: '± std err', align: 'right' }, from: 76 },
  { column: { title: 'lost (95 % between)', align: 'left' }, from: 64 },
]

/**
 * What a model, whole and cut, reaches on tasks as a table: of a group of tasks its mean alone.
 * @param width  columns of the window
 */
export function formatTasks({ tasks, candidates, taskSettings }: Measured, { width = 80 } = {}): string {
  const rows = listShownTasks(tasks)
    .map((name) => [name, tasks[name]!] as const)
    .flatMap(([name, whole]) =>
      metricsOf(whole).flatMap((metric) => [
        [
          name,
          formatCount(whole.documents),
          `${whole.fewshot}`,
          metric,
          'none',
          ...figureCells(whole, metric),
          '',
        ],
        ...candidates.map(({ removed, tasks: cut }) => {
          const layers = removed.map(formatLayers).join(', ')
          const figures = cut[name]
          return figures
            ? ['', '', '', '', layers, ...figureCells(figures, metric), formatLoss(figures, metric)]
            : ['', '', '', '', layers, 'not finite', '', '']
        }),
      ]),
    )
  const shown = COLUMNS.flatMap(({ from }, index) =>
    candidates.length === 0 || width >= from ? [index] : [],
  ).filter((index) => candidates.length > 0 || index < COLUMNS.length - 1)
  const table = formatTable(
    shown.map((index) => COLUMNS[index]!.column),
    rows.map((row) => shown.map((index) => row[index]!)),
  )
  return [table, '', describeProtocol(Object.values(tasks), taskSettings, candidates.length > 0)].join('\n')
}

/** The command that makes the cut of the highest accuracy, the mean over tasks; nothing if there is none. */
export function suggestCutByTasks({
  tasks,
  candidates,
  model,
}: Measured & Pick<TaskResult, 'model'>): string[] {
  const names = listShownTasks(tasks)
  const means = candidates.map(({ tasks: cut }) =>
    names.reduce((sum, name) => sum + (cut[name]?.acc ?? Number.NaN), 0),
  )
  const most = Math.max(...means.filter(Number.isFinite))
  const best = candidates[means.indexOf(most)]
  if (best === undefined) return []
  const title = candidates.length > 1 ? 'To make the cut of the highest accuracy' : 'To make the cut'
  const { id, askedRevision } = model
  return [
    formatNextCut({ model: id, revision: askedRevision, cut: ['--drop', formatBlocks(best.removed)] }, title),
  ]
}

function metricsOf(figures: TaskFigures): TaskMetric[] {
  return TASK_METRICS.filter((metric) => figures[metric] !== undefined)
}

function figureCells(figures: TaskFigures, metric: TaskMetric): [value: string, error: string] {
  const error = figures.standardError[metric] ?? null
  return [formatFigure(figures[metric]!, metric), error === null ? '' : formatFigure(error, metric)]
}

function formatFigure(value: number, metric: TaskMetric): string {
  return metric === 'perplexity' ? formatPerplexity(value) : value.toFixed(4)
}

/** `3.1 points (1.9 to 4.3)` of an accuracy, `5.21 (4.80 to 5.63)` of a perplexity; below zero what is gained. */
function formatLoss({ difference }: CutTaskFigures, metric: TaskMetric): string {
  const { difference: mean, interval } = difference[metric] as PairedDifference
  const isAccuracy = metric !== 'perplexity'
  // what is lost of an accuracy is what it is lower by
  const lost = (value: number) =>
    isAccuracy ? (0 - value * 100).toFixed(1) : `${value < 0 ? '-' : ''}${formatPerplexity(Math.abs(value))}`
  const [low, high] = interval === null || !isAccuracy ? (interval ?? []) : [interval[1], interval[0]]
  const between = interval === null ? '' : ` (${lost(low!)} to ${lost(high!)})`
  return `${lost(mean)}${isAccuracy ? ' points' : ''}${between}`
}

function describeProtocol(
  figures: TaskFigures[],
  { truncated, maxLength }: TaskResult['taskSettings'],
  isCompared: boolean,
): string {
  const documents = figures.reduce(
    (sum, { documents, tasks }) => sum + (tasks === undefined ? documents : 0),
    0,
  )
  const cut =
    truncated === 0
      ? ''
      : ` ${formatQuantity(truncated, 'choice')} had a context cut at its start to ${formatQuantity(maxLength, 'token')}.`
  const compared = isCompared ? ' What is lost is over the same documents.' : ''
  return `Over ${formatQuantity(documents, 'document')}, scored as lm-evaluation-harness does.${compared}${cut}`
}
