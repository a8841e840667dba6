import {
  type CutTaskFigures,
  TASK_METRICS,
  type TaskFigures,
  type TaskResult,
} from '../documents/task-result.js'
import { formatPerplexity } from '../format-numbers.js'
import type { Block } from '../layers/block.js'
import { formatLayers } from '../layers/names.js'
import { renderStrip } from './page-parts.js'
import { escapeXml } from './svg.js'

/** What tasks measured of a model and its cuts, in a section of its own. */
export function renderTasks(result: TaskResult, number: number): string {
  const id = `tasks-${number}`
  return `<section class="evaluation" aria-labelledby="${id}-title">
<header class="of"><h3 id="${id}-title">Tasks</h3></header>
${renderTaskTable(result)}
</section>`
}

/** A table of the whole model and its cuts: a column per task and metric. */
export function renderTaskTable({
  model,
  tasks,
  candidates,
}: Pick<TaskResult, 'tasks' | 'candidates'> & { model: { layers: number } }): string {
  const columns = Object.entries(tasks).flatMap(([name, figures]) =>
    TASK_METRICS.filter((metric) => figures[metric] !== undefined).map((metric) => ({ name, metric })),
  )
  const renderRow = (removed: Block[], of: Record<string, TaskFigures | CutTaskFigures | null>) => {
    const cells = columns.map(({ name, metric }) => {
      const figures = of[name]
      if (!figures) return '<td>not finite</td>'
      const value = figures[metric]!
      const error = figures.standardError[metric]
      const format = (number: number) =>
        metric === 'perplexity' ? formatPerplexity(number) : number.toFixed(3)
      return `<td>${format(value)}${typeof error === 'number' ? ` ± ${format(error)}` : ''}</td>`
    })
    const strip = removed.length === 0 ? '' : renderStrip(model.layers, removed)
    return `<tr><td>${removed.length === 0 ? 'none' : removed.map(formatLayers).join(', ')}</td><td class="wide-cell">${strip}</td>${cells.join('')}</tr>`
  }
  const heads = columns.map(
    ({ name, metric }) =>
      `<th scope="col">${escapeXml(name)} <small>${metric}, ${tasks[name]!.documents} documents</small></th>`,
  )
  return `<div class="scroll" tabindex="0" role="region" aria-label="Table of tasks"><table><thead><tr><th scope="col">removed</th><th scope="col" class="wide-cell"></th>${heads.join('')}</tr></thead><tbody>${[renderRow([], tasks), ...candidates.map(({ removed, tasks }) => renderRow(removed, tasks))].join('')}</tbody></table></div>`
}
