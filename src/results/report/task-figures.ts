import type { Block } from '../../model/layers/block.js'
import { formatTaskValue, listShownTasks } from '../documents/task-measures.js'
import { TASK_METRICS, type TaskFigures, type TaskMetric, type TaskResult } from '../documents/task-result.js'
import { isSameCut, type ModelStory } from './model-story.js'

/** What was measured of a model besides distances. */
export type Checks = Pick<ModelStory, 'evaluations' | 'tasks' | 'sweeps'>

/** Results of tasks of a model, whether texts were measured with them or not. */
export function listTaskResults({ evaluations, tasks, sweeps }: Checks): Pick<TaskResult, 'tasks' | 'candidates'>[] {
  const measured = [
    ...evaluations.map(({ document: { tasks, candidates } }) => ({ tasks, candidates })),
    ...sweeps.map(({ document: { whole, candidates } }) => ({ tasks: whole.tasks, candidates })),
  ].flatMap(({ tasks, candidates }) =>
    tasks === undefined
      ? []
      : [{ tasks, candidates: candidates.map(({ removed, tasks = {} }) => ({ removed, tasks })) }],
  )
  return [...tasks.map(({ document }) => document), ...measured]
}

/** How a cut does on each task or group that it was measured on, by name; `removed` is empty for the whole model. */
export function findTaskFigures(story: Checks, removed: Block[]): Map<string, TaskFigures | null> {
  const found = new Map<string, TaskFigures | null>()
  for (const { tasks, candidates } of listTaskResults(story)) {
    const figures = removed.length === 0 ? tasks : candidates.find((cut) => isSameCut(cut.removed, removed))?.tasks
    for (const name of listShownTasks(tasks)) {
      const value = figures?.[name]
      if (value !== undefined && !found.has(name)) found.set(name, value)
    }
  }
  return found
}

/** The first metric that a task has, and its value: `acc 0.5500`. */
export function formatTask(figures: TaskFigures): string {
  const metric = TASK_METRICS.find((name: TaskMetric) => figures[name] !== undefined)
  if (metric === undefined) return ''
  const value = figures[metric]!
  return `${metric} ${formatTaskValue(value, metric)}`
}
