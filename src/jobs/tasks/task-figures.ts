import {
  estimateMean,
  findInterval,
  type PairedDifference,
  pairDifference,
} from '../../base/statistics/paired-difference.js'
import type { CutTaskFigures, TaskFigures, TaskMetric } from '../../results/documents/task-result.js'
import type { PreparedDocument, PreparedTask, PreparedTasks } from './prepare-tasks.js'
import type { TaskScores } from './score-tasks.js'

/** What a model makes of each document of a task, by metric: 1 for a right choice, or a log-likelihood for perplexity. */
export type DocumentValues = Partial<Record<TaskMetric, Float64Array>>

/** Values by the name of the task; null if a likelihood is not a finite number. */
export type ValuesByTask = Record<string, DocumentValues | null>

/** What a model makes of the documents of all tasks. */
export function judgeTasks({ tasks }: PreparedTasks, scores: TaskScores): ValuesByTask {
  return Object.fromEntries(tasks.map((task) => [task.definition.name, judgeTask(task, scores)]))
}

function judgeTask({ definition, documents }: PreparedTask, scores: TaskScores): DocumentValues | null {
  const { kind, metrics } = definition
  const { logLikelihoods, isTop } = scores
  const places = documents.flatMap(({ requests }) => requests)
  if (!places.every((place) => Number.isFinite(logLikelihoods[place]))) return null
  const judges: Record<TaskMetric, (document: PreparedDocument) => number> = {
    acc: (document) =>
      Number(kind === 'loglikelihood' ? isTop[document.requests[0]!] : isRight(document, logLikelihoods)),
    acc_norm: (document) => Number(isRight(document, logLikelihoods, document.choiceLengths)),
    perplexity: ({ requests }) => logLikelihoods[requests[0]!]!,
  }
  return Object.fromEntries(metrics.map((metric) => [metric, Float64Array.from(documents, judges[metric])]))
}

/** Whether the most likely choice, the first of equals, is a right one. */
function isRight(
  { requests, gold }: PreparedDocument,
  logLikelihoods: Float64Array,
  lengths: number[] = requests.map(() => 1),
): boolean {
  const values = requests.map((place, choice) => logLikelihoods[place]! / lengths[choice]!)
  return gold.includes(values.indexOf(Math.max(...values)))
}

/** How a model does on each task and group; with layers removed, beside what the whole model makes of them. */
export function summarizeTasks(prepared: PreparedTasks, values: ValuesByTask): Record<string, TaskFigures | null>
export function summarizeTasks(
  prepared: PreparedTasks,
  values: ValuesByTask,
  whole: ValuesByTask,
): Record<string, CutTaskFigures | null>
export function summarizeTasks(prepared: PreparedTasks, values: ValuesByTask, whole?: ValuesByTask) {
  const ofTasks = prepared.tasks.map(({ definition: { name }, documents, examples }) => {
    const own = values[name] ?? null
    if (own === null) return [name, null] as const
    const figures = { ...describeValues(own), documents: documents.length, fewshot: examples }
    return [name, whole === undefined ? figures : { ...figures, difference: compare(own, whole[name]!) }] as const
  })
  const byTask: Record<string, TaskFigures | CutTaskFigures | null> = Object.fromEntries(ofTasks)
  const ofGroups = Object.entries(prepared.groups).map(([group, names]) => {
    const figures = names.map((name) => byTask[name]!)
    if (figures.some((ofTask) => ofTask === null)) return [group, null] as const
    const pooled = poolFigures(figures, names)
    if (whole === undefined) return [group, pooled] as const
    const [own, others] = [values, whole].map((part) => joinValues(names.map((name) => part[name]!)))
    return [group, { ...pooled, difference: compare(own!, others!) }] as const
  })
  return Object.fromEntries([...ofGroups, ...ofTasks])
}

function describeValues(values: DocumentValues): Omit<TaskFigures, 'documents' | 'fewshot'> {
  const figures: Omit<TaskFigures, 'documents' | 'fewshot'> = { standardError: {} }
  for (const [metric, ofMetric] of Object.entries(values) as [TaskMetric, Float64Array][]) {
    const { value, standardError } = estimateMean(ofMetric)
    const perplexity = Math.exp(-value)
    figures[metric] = metric === 'perplexity' ? perplexity : value
    // the derivative of the exponential carries an error over (delta method)
    const factor = metric === 'perplexity' ? perplexity : 1
    figures.standardError[metric] = standardError === null ? null : standardError * factor
  }
  return figures
}

function compare(own: DocumentValues, whole: DocumentValues): CutTaskFigures['difference'] {
  const differences = Object.entries(own).map(([metric, values]) => {
    const others = whole[metric as TaskMetric]!
    return [metric, metric === 'perplexity' ? comparePerplexities(values, others) : pairDifference(values, others)]
  })
  return Object.fromEntries(differences)
}

/** The difference of the perplexities, its standard error by the delta method over documents. */
function comparePerplexities(own: Float64Array, whole: Float64Array): PairedDifference {
  const [perplexity, other] = [own, whole].map((values) => Math.exp(-estimateMean(values).value)) as [number, number]
  const shares = own.map((value, index) => other * whole[index]! - perplexity * value)
  const { standardError } = estimateMean(shares)
  const difference = perplexity - other
  return { difference, standardError, interval: findInterval(difference, standardError, own.length) }
}

/** Every document counts alike; the error is that within tasks, pooled, as lm-evaluation-harness has it. */
function poolFigures(figures: (TaskFigures | null)[], names: string[]): TaskFigures {
  const tasks = figures as TaskFigures[]
  const documents = tasks.reduce((sum, task) => sum + task.documents, 0)
  const acc = tasks.reduce((sum, task) => sum + task.acc! * task.documents, 0) / documents
  const errors = tasks.map((task) => task.standardError.acc ?? null)
  const squares = tasks.reduce(
    (sum, task, index) => sum + (task.documents - 1) * task.documents * (errors[index] ?? 0) ** 2,
    0,
  )
  return {
    acc,
    standardError: {
      acc: errors.includes(null) ? null : Math.sqrt(squares / (documents - tasks.length) / documents),
    },
    documents,
    fewshot: tasks[0]!.fewshot,
    tasks: names,
  }
}

function joinValues(values: (DocumentValues | null)[]): DocumentValues {
  return { acc: Float64Array.from(values.flatMap((ofTask) => [...ofTask!.acc!])) }
}
