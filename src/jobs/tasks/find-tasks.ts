import { UsageError } from '../../base/errors.js'
import { BUILT_IN } from './built-in.js'
import { readDefinition, type TaskDefinition } from './definition.js'
import { assertTemplates } from './evaluate-rules.js'
import { prepareHellaswag } from './hellaswag.js'
import { MMLU_GROUPS, MMLU_TASKS } from './mmlu.js'
import { readTaskFile } from './read-task-file.js'

/** The requested tasks, with groups expanded. */
export interface FoundTasks {
  /** By name, each once. */
  tasks: TaskDefinition[]
  /** Names of the tasks of each group that was asked for. */
  groups: Record<string, string[]>
}

const NAMES = [...Object.keys(BUILT_IN), ...Object.keys(MMLU_GROUPS)].sort()

/**
 * Finds the definitions of tasks: those built in by name, any other in its YAML file.
 * @param asked  names, or files that end in .yaml or .yml
 * @throws UsageError if there is no such task, or two have one name
 * @throws LayerpruneError if a file cannot be read or has what is not understood
 */
export async function findTasks(asked: string[]): Promise<FoundTasks> {
  const tasks = new Map<string, TaskDefinition>()
  const groups: FoundTasks['groups'] = {}
  for (const name of new Set(asked)) {
    if (Object.hasOwn(MMLU_GROUPS, name)) groups[name] = MMLU_GROUPS[name]!
    for (const task of groups[name] ?? [name]) {
      const definition = /\.ya?ml$/.test(task) ? await readOwnTask(task) : findBuiltIn(task)
      const other = tasks.get(definition.name)
      if (other !== undefined && definition.name !== task) {
        throw new UsageError(`${name}: a task named ${definition.name} was given before`, {
          hint: 'give it another name: task in its file',
        })
      }
      tasks.set(definition.name, other ?? definition)
    }
  }
  return { tasks: [...tasks.values()], groups }
}

async function readOwnTask(path: string): Promise<TaskDefinition> {
  const definition = readDefinition(await readTaskFile(path), path)
  await assertTemplates(definition)
  return definition
}

function findBuiltIn(name: string): TaskDefinition {
  const config = Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name] : MMLU_TASKS[name]
  if (config === undefined) {
    throw new UsageError(`there is no task ${name}; these are built in: ${NAMES.join(', ')}`, {
      hint: 'or name the .yaml file of a task of your own',
    })
  }
  const definition = readDefinition({ task: name, ...config }, `task ${name}`)
  return name === 'hellaswag' ? { ...definition, prepare: prepareHellaswag } : definition
}
