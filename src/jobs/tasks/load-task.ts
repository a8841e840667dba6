import { InterruptedError, LayerpruneError, UsageError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'
import { assertFileOrFolder } from '../../base/regular-file.js'
import { type DataRecord, type RecordsOptions, readRecords } from '../../texts/data/records.js'
import type { TaskDefinition } from './definition.js'
import { makeDocuments, type TaskDocument } from './documents.js'

export interface LoadOptions extends Pick<RecordsOptions, 'signal' | 'onNote'> {
  /** Files or folders that hold the documents of tasks, by their names, instead of what the definitions name. */
  taskData?: Record<string, string> | undefined
  /** Documents of each task that are measured, the first ones; all if omitted. */
  limit?: number | undefined
  /** Examples before each document; as the task says if omitted. */
  numFewshot?: number | undefined
}

/** The documents of a task, and how many examples precede each. */
export interface LoadedTask {
  definition: TaskDefinition
  examples: number
  documents: TaskDocument[]
}

/** @throws LayerpruneError if there are no documents, or they cannot be read or do not fit the task */
export async function loadTask(task: TaskDefinition, options: LoadOptions): Promise<LoadedTask> {
  const { limit = Infinity, onNote } = options
  const examples = countExamples(task, options.numFewshot)
  if (examples !== (options.numFewshot ?? examples)) {
    onNote?.(`${task.name} has its own examples, so ${nameOption('numFewshot')} does not change it`)
  }
  const records = await readSplit(task, task.split, options, limit)
  if (records.length === 0) throw new LayerpruneError(`task ${task.name}: its split ${task.split} is empty`)
  const pool = examples === 0 ? [] : await readSplit(task, task.exampleSplit, options, Infinity)
  return {
    definition: task,
    examples,
    documents: await makeDocuments(task, records, { examples: pool, count: examples, signal: options.signal }),
  }
}

/** A task that says 0 has its examples in its text. */
function countExamples({ examples }: TaskDefinition, asked: number | undefined): number {
  return examples === 0 ? 0 : (asked ?? examples ?? 0)
}

async function readSplit(
  task: TaskDefinition,
  split: string,
  options: LoadOptions,
  limit: number,
): Promise<DataRecord[]> {
  const { config, prepare } = task
  // a file that the task names is a stranger's; one that the user gives may be a pipe
  if (options.taskData?.[task.name] === undefined) {
    for (const file of task.files?.[split] ?? []) await assertFileOrFolder(file)
  }
  const dataset = findData(task, split, options.taskData)
  const rows = readRecords({ ...options, dataset, datasetConfig: config, split })
  const records: DataRecord[] = []
  try {
    for await (const { fields, origin } of rows) {
      records.push({ origin, fields: prepare === undefined ? fields : prepare(fields, origin) })
      if (records.length >= limit) break
    }
  } catch (error) {
    throw dataset === task.dataset && options.taskData?.[task.name] === undefined ? addWayOut(error, task) : error
  }
  return records
}

/** What a task names is on the Hub, which may be out of reach. */
function addWayOut(error: unknown, { name }: TaskDefinition): unknown {
  if (!(error instanceof LayerpruneError) || error instanceof InterruptedError) return error
  const own = `give the files of the task with \`taskData\`, as ${name}=FOLDER`
  return new LayerpruneError(`task ${name}: ${error.message}`, {
    hint: error.hint === undefined ? own : `${error.hint}; or ${own}`,
    cause: error,
  })
}

function findData(
  { name, dataset, files, split: measured }: TaskDefinition,
  split: string,
  taskData: LoadOptions['taskData'] = {},
): string | string[] {
  const given = taskData[name]
  if (given !== undefined) return given
  if (files === undefined) return dataset
  const found = files[split]
  if (found !== undefined) return found
  const what = split === measured ? 'documents' : 'examples'
  throw new UsageError(`task ${name}: data_files has no split ${split}, which holds the ${what}`)
}
