import type { PairedDifference } from '../../base/statistics/paired-difference.js'
import type { Block } from '../../model/layers/block.js'
import { formatRemoved } from '../../model/layers/names.js'
import { formatTaskValue, listTaskMeasures } from '../documents/task-measures.js'
import type { CutTaskFigures, TaskFigures, TaskResult } from '../documents/task-result.js'
import { drawAccuracies, type MeasuredOnTasks } from './accuracy-svg.js'
import { fileName, renderFigure, renderStrip } from './page-parts.js'
import { escapeXml } from './svg.js'

const DIFFERENCE_NOTE =
  '<p class="note">Below each value: its difference from the whole model over the same documents, with a 95 % interval.</p>'

/** What tasks measured of a model and its cuts, in a section of its own. */
export function renderTasks(result: TaskResult, number: number): string {
  const id = `tasks-${number}`
  return `<section class="evaluation" aria-labelledby="${id}-title">
<header class="of"><h3 id="${id}-title">Tasks</h3></header>
${renderTaskTable(result, number)}
</section>`
}

/**
 * A table of the whole model and its cuts, with a column for each task and metric, and the accuracies as bars.
 * @param number  of the section, which no other picture of the page has
 */
export function renderTaskTable(measured: MeasuredOnTasks, number: number | string): string {
  const { model, tasks, candidates } = measured
  const measures = listTaskMeasures(tasks)
  const renderRow = (removed: Block[], of: Record<string, TaskFigures | CutTaskFigures | null>) => {
    const cells = measures.map(({ name, metric }) => {
      const figures = of[name]
      if (!figures) return '<td>not finite</td>'
      const value = figures[metric]!
      const error = figures.standardError[metric]
      const format = (number: number) => formatTaskValue(number, metric)
      const difference = 'difference' in figures ? formatDifference(figures.difference[metric], format) : ''
      return `<td>${format(value)}${typeof error === 'number' ? ` ± ${format(error)}` : ''}${difference}</td>`
    })
    const strip = removed.length === 0 ? '' : renderStrip(model.layers, removed)
    return `<tr><td>${formatRemoved(removed)}</td><td class="wide-cell">${strip}</td>${cells.join('')}</tr>`
  }
  const heads = measures.map(
    ({ name, metric, whole }) =>
      `<th scope="col">${escapeXml(name)} <small>${metric}, ${whole.documents} documents</small></th>`,
  )
  const bars = drawAccuracies(measured)
  return `<div class="scroll" tabindex="0" role="region" aria-label="Table of tasks"><table><thead><tr><th scope="col">removed</th><th scope="col" class="wide-cell"></th>${heads.join('')}</tr></thead><tbody>${[renderRow([], tasks), ...candidates.map(({ removed, tasks }) => renderRow(removed, tasks))].join('')}</tbody></table></div>${candidates.length === 0 ? '' : DIFFERENCE_NOTE}${bars === null ? '' : renderFigure(fileName(model.id, `accuracy-${number}`), '', bars)}`
}

/** By how much a cut is above the whole model, with the interval; empty if it is not known. */
function formatDifference(difference: PairedDifference | undefined, format: (number: number) => string): string {
  if (!difference?.interval) return ''
  const [low, high] = difference.interval
  return `<br><small>${formatSigned(difference.difference, format)} (${formatSigned(low, format)} to ${formatSigned(high, format)})</small>`
}

function formatSigned(value: number, format: (number: number) => string): string {
  return `${value > 0 ? '+' : ''}${format(value)}`
}
