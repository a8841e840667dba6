import type { TaskResult } from './task-result.js'

/** Names of the tasks and groups that are shown: a task of a group is not. */
export function listShownTasks(tasks: TaskResult['tasks']): string[] {
  const inGroups = new Set(Object.values(tasks).flatMap((figures) => figures.tasks ?? []))
  return Object.keys(tasks).filter((name) => !inGroups.has(name))
}
