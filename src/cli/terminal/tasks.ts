import { formatCount, formatPerplexity, formatQuantity } from '../../base/format-numbers.js'
import type { PairedDifference } from '../../base/statistics/paired-difference.js'
import type { Block } from '../../model/layers/block.js'
import { formatRemoved } from '../../model/layers/names.js'
import { areOfOneSize } from '../../results/documents/evaluation-columns.js'
import type { TableColumn } from '../../results/documents/table-column.js'
import {
  formatTaskValue,
  listShownTasks,
  listTaskMeasures,
  type TaskMeasure,
} from '../../results/documents/task-measures.js'
import type { CutTaskFigures, TaskFigures, TaskResult } from '../../results/documents/task-result.js'
import type { CarriedOptions } from '../../results/next-command.js'
import { formatNextCut } from './next-command.js'
import { formatRows } from './table.js'

type Measured = Pick<TaskResult, 'tasks' | 'candidates' | 'taskSettings'>

interface TaskRow {
  measure: TaskMeasure
  /** Null for the whole model, whose row names the task. */
  cut: { removed: Block[]; figures: CutTaskFigures | null } | null
}

/** What a model, whole and cut, reaches on tasks as a table; of a group of tasks only the mean. */
export function formatTasks({ tasks, candidates, taskSettings }: Measured, { width = 80 } = {}): string {
  const isCompared = candidates.length > 0
  const rows = listTaskMeasures(tasks).flatMap((measure): TaskRow[] => [
    { measure, cut: null },
    ...candidates.map(({ removed, tasks: cut }) => ({
      ...{ measure, cut: { removed, figures: cut[measure.name] ?? null } },
    })),
  ])
  return [
    formatRows(listColumns(isCompared), rows, { width }),
    '',
    describeProtocol(Object.values(tasks), taskSettings, isCompared),
  ].join('\n')
}

function listColumns(isCompared: boolean): TableColumn<TaskRow>[] {
  const ofWhole = (cell: (measure: TaskMeasure) => string) => (row: TaskRow) =>
    row.cut === null ? cell(row.measure) : ''
  // only a comparison takes more columns than any window has
  const whenWide = (least: number) => (isCompared ? least : 0)
  return [
    { title: 'task', align: 'left', from: 0, cell: ofWhole(({ name }) => name) },
    {
      ...{ title: 'documents', align: 'right', from: whenWide(110) },
      cell: ofWhole(({ whole }) => formatCount(whole.documents)),
    },
    {
      ...{ title: 'examples', align: 'right', from: whenWide(124) },
      cell: ofWhole(({ whole }) => `${whole.fewshot}`),
    },
    { title: 'metric', align: 'left', from: 0, cell: ofWhole(({ metric }) => metric) },
    { title: 'layers removed', align: 'left', from: 0, cell: ({ cut }) => formatRemoved(cut?.removed ?? []) },
    { title: 'value', align: 'right', from: 0, cell: formatValue },
    { title: '± std err', align: 'right', from: whenWide(76), cell: formatError },
    { title: 'lost (95 % between)', align: 'left', from: isCompared ? 64 : undefined, cell: formatLoss },
  ]
}

/**
 * The command for the cut with the highest mean accuracy; nothing if there is none.
 * @param nameCut  words that name the cut of a candidate, by its position
 */
export function suggestCutByTasks(
  { tasks, candidates, model }: Measured & Pick<TaskResult, 'model'>,
  options: CarriedOptions,
  nameCut: (candidate: number) => string[],
): string[] {
  const names = listShownTasks(tasks)
  const means = candidates.map(({ tasks: cut }) => names.reduce((sum, name) => sum + (cut[name]?.acc ?? Number.NaN), 0))
  if (!areOfOneSize(candidates)) return []
  const most = Math.max(...means.filter(Number.isFinite))
  const best = candidates[means.indexOf(most)]
  if (best === undefined || best.notWritable !== undefined) return []
  const title = candidates.length > 1 ? 'To make the cut of the highest accuracy' : 'To make the cut'
  const cut = nameCut(candidates.indexOf(best))
  return [formatNextCut({ options, cut, file: model.file, isAdapter: model.base !== undefined }, title)]
}

/** Undefined if a likelihood was not finite. */
function figuresOf({ measure, cut }: TaskRow): TaskFigures | undefined {
  return cut === null ? measure.whole : (cut.figures ?? undefined)
}

function formatValue(row: TaskRow): string {
  const { metric } = row.measure
  const figures = figuresOf(row)
  return figures === undefined ? 'not finite' : formatTaskValue(figures[metric]!, metric)
}

function formatError(row: TaskRow): string {
  const { metric } = row.measure
  const error = figuresOf(row)?.standardError[metric] ?? null
  return error === null ? '' : formatTaskValue(error, metric)
}

/** `3.1 points (1.9 to 4.3)` for an accuracy, `5.21 (4.80 to 5.63)` for a perplexity; gains are negative. */
function formatLoss({ measure: { metric }, cut }: TaskRow): string {
  if (!cut?.figures) return ''
  const { difference: mean, interval } = cut.figures.difference[metric] as PairedDifference
  const isAccuracy = metric !== 'perplexity'
  // loss of accuracy, as a positive number
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
  const documents = figures.reduce((sum, { documents, tasks }) => sum + (tasks === undefined ? documents : 0), 0)
  const cut =
    truncated === 0
      ? ''
      : ` ${formatQuantity(truncated, 'choice')} had a context cut at its start to ${formatQuantity(maxLength, 'token')}.`
  const compared = isCompared ? ' What is lost is over the same documents.' : ''
  return `Over ${formatQuantity(documents, 'document')}, scored as lm-evaluation-harness does.${compared}${cut}`
}
