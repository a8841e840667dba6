import { LayerpruneError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'
import type { TaskDefinition } from './definition.js'
import type { TaskDocument } from './documents.js'
import { type EncodedRequest, RequestEncoder, type TaskTokenizer } from './encode-requests.js'
import { type FoundTasks, findTasks } from './find-tasks.js'
import { type LoadedTask, type LoadOptions, loadTask } from './load-task.js'
import { type SharedRun, shareRuns } from './share-runs.js'

export interface TaskOptions extends LoadOptions {
  /** Names of built-in tasks or groups, or YAML files. */
  tasks: string[]
}

/** A document and the places of its requests. */
export interface PreparedDocument extends Omit<TaskDocument, 'requests'> {
  requests: number[]
}

export interface PreparedTask extends Omit<LoadedTask, 'documents'> {
  documents: PreparedDocument[]
}

/** Tasks that are tokenised and ready to be scored, by any number of models of the same tokenizer. */
export interface PreparedTasks {
  tasks: PreparedTask[]
  groups: FoundTasks['groups']
  /** Those of all documents. */
  requests: EncodedRequest[]
  /** Runs that score them, longest first. */
  runs: SharedRun[]
}

/** Tasks with their documents, which are the same for every model. */
export interface ReadTasks {
  tasks: LoadedTask[]
  groups: FoundTasks['groups']
}

/**
 * Reads the documents of tasks.
 * @param ofExamples  whether those that examples come from instead of those that are measured
 * @throws UsageError if there is no such task
 * @throws LayerpruneError if a task or its documents cannot be used
 */
export async function readTasks(options: TaskOptions, { ofExamples = false } = {}): Promise<ReadTasks> {
  const { tasks, groups } = await findTasks(options.tasks)
  assertDataIsUsed(options, [...tasks.map(({ name }) => name), ...Object.keys(groups)])
  const loadOptions = { ...options, taskData: spreadGroupData(options.taskData, groups) }
  const loaded: LoadedTask[] = []
  for (const task of tasks) {
    options.signal?.throwIfAborted()
    loaded.push(await loadTask(ofExamples ? chooseAmongExamples(task) : task, loadOptions))
  }
  return { tasks: loaded, groups }
}

/**
 * Tokenises the documents of tasks.
 * @param maxLength  tokens that the model can take
 * @param trees      whether it can read prefix trees
 * @throws LayerpruneError if a choice has no token, or more than the model can take
 */
export async function encodeTasks(
  { tasks, groups }: ReadTasks,
  tokenizer: TaskTokenizer,
  { maxLength, trees }: { maxLength: number; trees: boolean },
): Promise<PreparedTasks> {
  const encoder = new RequestEncoder(tokenizer, maxLength)
  const requests: EncodedRequest[] = []
  const origins: string[] = []
  const prepared: PreparedTask[] = []
  for (const { documents, ...task } of tasks) {
    const encoded = await Promise.all(
      documents.map(({ requests, origin }) => Promise.all(requests.map((request) => encoder.encode(request, origin)))),
    )
    const places = encoded.map((ofDocument, index) => {
      const first = requests.length
      requests.push(...ofDocument)
      origins.push(...ofDocument.map(() => documents[index]!.origin))
      return ofDocument.map((_, choice) => first + choice)
    })
    prepared.push({
      ...task,
      documents: documents.map((document, index) => ({ ...document, requests: places[index]! })),
    })
  }
  return {
    tasks: prepared,
    groups,
    requests,
    runs: shareRuns(requests, (request) => origins[request]!, trees),
  }
}

/** No document is an example of itself. */
function chooseAmongExamples(task: TaskDefinition): TaskDefinition {
  return { ...task, split: task.exampleSplit, avoidsDocument: true }
}

/** Gives the data of a group to each of its tasks. */
function spreadGroupData(data: LoadOptions['taskData'] = {}, groups: FoundTasks['groups']) {
  const ofGroups = Object.entries(groups).flatMap(([group, tasks]) =>
    data[group] === undefined ? [] : tasks.map((task) => [task, data[group]!] as const),
  )
  return { ...Object.fromEntries(ofGroups), ...data }
}

function assertDataIsUsed({ taskData = {} }: LoadOptions, names: string[]): void {
  const unused = Object.keys(taskData).find((name) => !names.includes(name))
  if (unused === undefined) return
  throw new LayerpruneError(
    `${nameOption('taskData')} names ${unused}, which is not one of the tasks: ${names.slice(0, 20).join(', ')}`,
  )
}
