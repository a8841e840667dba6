import { LayerpruneError } from '../errors.js'
import type { TaskDocument } from './documents.js'
import type { TaskTokenizer } from './encode-requests.js'
import { type EncodedRequest, RequestEncoder, type SharedRun, shareRuns } from './encode-requests.js'
import { type FoundTasks, findTasks } from './find-tasks.js'
import { type LoadedTask, type LoadOptions, loadTask } from './load-task.js'

export interface TaskOptions extends LoadOptions {
  /** Names of tasks or groups of tasks, or YAML files of one's own. */
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
  /** Of all documents. */
  requests: EncodedRequest[]
  /** What is run to score them, longest first. */
  runs: SharedRun[]
}

/**
 * Reads the documents of tasks and tokenises them.
 * @param maxLength  tokens that the model can take
 * @throws UsageError if there is no such task
 * @throws LayerpruneError if a task or its documents cannot be used
 */
export async function prepareTasks(
  options: TaskOptions,
  tokenizer: TaskTokenizer,
  maxLength: number,
): Promise<PreparedTasks> {
  const { signal } = options
  const { tasks, groups } = await findTasks(options.tasks)
  assertDataIsUsed(options, [...tasks.map(({ name }) => name), ...Object.keys(groups)])
  const loadOptions = { ...options, taskData: spreadGroupData(options.taskData, groups) }
  const encoder = new RequestEncoder(tokenizer, maxLength)
  const requests: EncodedRequest[] = []
  const origins: string[] = []
  const prepared: PreparedTask[] = []
  for (const task of tasks) {
    signal?.throwIfAborted()
    const { documents, ...loaded } = await loadTask(task, loadOptions)
    const encoded = await Promise.all(
      documents.map(({ requests, origin }) =>
        Promise.all(requests.map((request) => encoder.encode(request, origin))),
      ),
    )
    prepared.push({
      ...loaded,
      documents: documents.map((document, index) => {
        const first = requests.length
        requests.push(...encoded[index]!)
        origins.push(...encoded[index]!.map(() => document.origin))
        return { ...document, requests: encoded[index]!.map((_, choice) => first + choice) }
      }),
    })
  }
  return { tasks: prepared, groups, requests, runs: shareRuns(requests, (place) => origins[place]!) }
}

/** What is given for a group is given for each of its tasks. */
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
    `--task-data names ${unused}, which is none of the tasks: ${names.slice(0, 20).join(', ')}`,
  )
}
