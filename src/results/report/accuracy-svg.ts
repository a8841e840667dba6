import { scaleLinear } from 'd3-scale'
import { formatAccuracy, formatQuantity } from '../../base/format-numbers.js'
import { formatLayers } from '../../model/layers/names.js'
import { listShownTasks } from '../documents/task-measures.js'
import type { TaskFigures, TaskResult } from '../documents/task-result.js'
import { BAND, describeDrawn, escapeXml, INK, MARKS, px, type Scheme, shorten, svgFrame } from './svg.js'

const WIDTH = 760
const MARGIN = { top: 84, right: 90, bottom: 56, left: 150 }
const ROW_HEIGHT = 24
/** Room for the name of a task above its rows. */
const TITLE_HEIGHT = 30

export type MeasuredOnTasks = Pick<TaskResult, 'tasks' | 'candidates'> & {
  model: Pick<TaskResult['model'], 'id' | 'layers' | 'dtype'>
}

interface Group {
  title: string
  rows: Row[]
}

/** The accuracy of the whole model or of a cut; null if a likelihood was not finite. */
interface Row {
  name: string
  isWhole: boolean
  accuracy: number | null
  /** Ends of the interval. */
  range: [low: number, high: number] | null
}

const rulesOf = (scheme: Scheme) =>
  `.lp-bar{fill:${MARKS[scheme].curve}}.lp-whole-bar{fill:${MARKS[scheme].best}}.lp-range{stroke:${INK[scheme].ink}}`

/**
 * SVG of the accuracy of a model and its cuts on each task as bars, with 1.96 standard errors either side if they are
 * known; of a group of tasks its mean alone. It follows the reader's light or dark scheme.
 * @returns null if no task has an accuracy
 */
export function drawAccuracies(measured: MeasuredOnTasks): string | null {
  const groups = listGroups(measured)
  if (groups.length === 0) return null
  const rows = groups.reduce((sum, group) => sum + group.rows.length, 0)
  const bottom = MARGIN.top + TITLE_HEIGHT * groups.length + ROW_HEIGHT * rows
  const height = bottom + MARGIN.bottom
  const right = WIDTH - MARGIN.right
  const x = scaleLinear([0, 1], [MARGIN.left, right])
  let top = MARGIN.top
  const drawn = groups.flatMap((group) => {
    const y = top
    top += TITLE_HEIGHT + ROW_HEIGHT * group.rows.length
    return drawGroup(group, y, x)
  })
  const frame = {
    ...{ width: WIDTH, height, rulesOf },
    described: `Accuracy on ${formatQuantity(listShownTasks(measured.tasks).length, 'task')} of the whole model and ${formatQuantity(measured.candidates.length, 'cut')}`,
    heading: {
      title: 'Accuracy on tasks',
      note: { text: `lines: ± ${BAND} standard errors` },
      origin: [describeDrawn(measured.model)],
    },
  }
  return svgFrame(frame, [
    ...x
      .ticks(5)
      .flatMap((tick) => [
        `<line class="lp-grid" x1="${px(x(tick))}" x2="${px(x(tick))}" y1="${MARGIN.top}" y2="${bottom}"/>`,
        `<text class="lp-quiet" x="${px(x(tick))}" y="${bottom + 18}" text-anchor="middle">${formatAccuracy(tick)}</text>`,
      ]),
    ...drawn,
    `<text class="lp-ink" x="${(MARGIN.left + right) / 2}" y="${height - 12}" text-anchor="middle">share of right answers</text>`,
  ])
}

function listGroups({ tasks, candidates }: MeasuredOnTasks): Group[] {
  return listShownTasks(tasks).flatMap((name) =>
    (['acc', 'acc_norm'] as const)
      .filter((metric) => tasks[name]![metric] !== undefined)
      .map((metric) => ({
        title: `${name}, ${metric}, ${formatQuantity(tasks[name]!.documents, 'document')}`,
        rows: [
          makeRow('none removed', tasks[name], metric, true),
          ...candidates.map(({ removed, tasks: cut }) =>
            makeRow(shorten(removed.map(formatLayers).join(', '), 18), cut[name], metric, false),
          ),
        ],
      })),
  )
}

function makeRow(
  name: string,
  figures: TaskFigures | null | undefined,
  metric: 'acc' | 'acc_norm',
  isWhole: boolean,
): Row {
  const accuracy = figures?.[metric]
  if (accuracy === undefined) return { name, isWhole, accuracy: null, range: null }
  const error = figures?.standardError[metric]
  const reach = typeof error === 'number' ? BAND * error : null
  const range: Row['range'] = reach === null ? null : [Math.max(0, accuracy - reach), Math.min(1, accuracy + reach)]
  return { name, isWhole, accuracy, range }
}

function drawGroup({ title, rows }: Group, top: number, x: (share: number) => number): string[] {
  return [
    `<text class="lp-ink" x="20" y="${top + 20}" font-weight="600">${escapeXml(title)}</text>`,
    ...rows.flatMap((row, index) => drawRow(row, top + TITLE_HEIGHT + ROW_HEIGHT * (index + 0.5), x)),
  ]
}

function drawRow({ name, isWhole, accuracy, range }: Row, y: number, x: (share: number) => number): string[] {
  const right = x(1)
  const label = `<text class="lp-ink" x="${MARGIN.left - 12}" y="${y + 4}" text-anchor="end">${name}</text>`
  if (accuracy === null) {
    return [label, `<text class="lp-quiet" x="${right + 10}" y="${y + 4}">not finite</text>`]
  }
  const line =
    range === null
      ? []
      : [
          `<line class="lp-range" stroke-width="2" x1="${px(x(range[0]))}" x2="${px(x(range[1]))}" y1="${y}" y2="${y}"/>`,
        ]
  return [
    label,
    `<rect class="${isWhole ? 'lp-whole-bar' : 'lp-bar'}" x="${px(x(0))}" y="${y - 7}" width="${px(x(accuracy) - x(0))}" height="14"/>`,
    ...line,
    `<text class="lp-ink" x="${right + 10}" y="${y + 4}">${formatAccuracy(accuracy)}</text>`,
  ]
}
