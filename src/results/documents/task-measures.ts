import { formatAccuracy, formatPerplexity } from '../../base/format-numbers.js'
import { TASK_METRICS, type TaskFigures, type TaskMetric, type TaskResult } from './task-result.js'

/** Names of the tasks and groups that are shown: a task of a group is not. */
export function listShownTasks(tasks: TaskResult['tasks']): string[] {
  const inGroups = new Set(Object.values(tasks).flatMap((figures) => figures.tasks ?? []))
  return Object.keys(tasks).filter((name) => !inGroups.has(name))
}

/** A metric of a task or group, with the figures of the whole model. */
export interface TaskMeasure {
  name: string
  metric: TaskMetric
  whole: TaskFigures
}

/** What tables of tasks show: each metric of each task, and only the mean of a group of tasks. */
export function listTaskMeasures(tasks: TaskResult['tasks']): TaskMeasure[] {
  return listShownTasks(tasks).flatMap((name) => {
    const whole = tasks[name]!
    return TASK_METRICS.filter((metric) => whole[metric] !== undefined).map((metric) => ({
      ...{ name, metric, whole },
    }))
  })
}

/** A value of a metric, its error or a difference of two, as every table shows it. */
export function formatTaskValue(value: number, metric: TaskMetric): string {
  return metric === 'perplexity' ? formatPerplexity(value) : formatAccuracy(value)
}
