import { InterruptedError } from '../../base/errors.js'
import { formatQuantity } from '../../base/format-numbers.js'
import { VERSION } from '../../base/version.js'
import { type ModelOptions, openModel, prepareModel } from '../../engine/model.js'
import type { Block } from '../../model/layers/block.js'
import { normalizeBlocks } from '../../model/layers/blocks.js'
import { SCHEMAS } from '../../results/documents/schemas.js'
import type { TaskMetric, TaskResult } from '../../results/documents/task-result.js'
import type { SelectionOptions } from '../../texts/data/dataset-options.js'
import type { Advance } from '../evaluate/batch-work.js'
import { openEvaluator } from '../evaluate/open-evaluator.js'
import { rememberContinuations } from '../evaluate/remember.js'
import { describeModel } from '../run/describe-model.js'
import { assertCounts, assertRunCounts, type BatchOptions } from '../run/run-options.js'
import { Answers, identifyWork, type ResumeOptions } from '../run/saved-work.js'
import { type MeasuredTasks, type OpenTasks, openTasks } from './open-tasks.js'
import { readTasks, type TaskOptions } from './prepare-tasks.js'

export interface TaskEvaluationOptions
  extends ModelOptions,
    SelectionOptions,
    BatchOptions,
    TaskOptions,
    ResumeOptions {
  /** Blocks to remove, for each candidate. The whole model is measured in any case. */
  candidates?: Block[][] | undefined
  /** Called with every document, by task and in the order of the dataset. */
  onDocument?: ((sample: TaskSample) => void) | undefined
}

/** Measurements of one document. */
export interface TaskSample {
  task: string
  /** Place in the split, from 0. */
  document: number
  /** File and line or row. */
  origin: string
  /** Places of the right choices. */
  gold: number[]
  /** For each choice, in nats, by the whole model, then by each candidate. */
  logLikelihoods: number[][]
  /** Values of the metrics, by the whole model, then by each candidate; null if a likelihood is not finite. */
  metrics: (Partial<Record<TaskMetric, number>> | null)[]
}

/**
 * Measures a model, whole and without blocks of layers, on tasks of lm-evaluation-harness, document by document as its
 * `hf` model does. All candidates are measured in one run, which shares the layers that they have in common from the
 * bottom up; what requests have in common at the start is run once.
 * @throws UsageError if an option is out of range, a block does not fit the model, or there is no such task
 * @throws InterruptedError if `signal` was aborted
 * @throws LayerpruneError if the model or a task cannot be used, or the model has no head
 */
export async function measureTasks(options: TaskEvaluationOptions): Promise<TaskResult> {
  assertRunCounts(options)
  assertCounts({ limit: options.limit })
  const { signal, candidates = [] } = options
  let documents = 0
  try {
    options.onProgress?.({ phase: 'reading tasks', done: 0, total: null })
    const read = await readTasks(options)
    const model = await prepareModel(await openModel(options, 'measure', { trees: true }), options)
    const removed = candidates.map((blocks) => normalizeBlocks(blocks, model.config.layers))
    const described = await describeModel(model, options)
    const answers = Answers.openIfKept(() => identifyWork(described.fingerprint, options), options)
    options.onProgress?.({ phase: 'reading tasks', done: 0, total: null })
    const tasks = await openTasks(model, options, read)
    const total = tasks.documents
    const session = {
      threads: options.threads,
      device: options.device ?? 'cpu',
      signal,
      onProgress: options.onProgress,
    }
    const evaluator = await openEvaluator(model, { ...session, blocks: removed.flat() })
    const onAdvance = ({ share }: Advance) => {
      documents = Math.floor(share * total)
      options.onProgress?.({ phase: 'tasks', done: documents, total, unit: 'document', share })
    }
    const remembering = answers ? { scoreContinuations: rememberContinuations(evaluator, answers) } : evaluator
    const measured = await tasks.measure(remembering, removed, onAdvance).finally(() => evaluator.close())
    reportDocuments(tasks, measured, options.onDocument)
    return {
      schema: SCHEMAS.tasks,
      model: described,
      taskSettings: tasks.settings,
      tasks: measured.tasks,
      candidates: measured.candidates,
      layerpruneVersion: VERSION,
    }
  } catch (cause) {
    throw signal?.aborted ? new InterruptedError(`after ${formatQuantity(documents, 'document')}`) : cause
  }
}

function reportDocuments(
  { prepared }: OpenTasks,
  { scores, values }: MeasuredTasks,
  onDocument: TaskEvaluationOptions['onDocument'],
): void {
  if (onDocument === undefined) return
  for (const { definition, documents } of prepared.tasks) {
    for (const [document, { origin, gold, requests }] of documents.entries()) {
      onDocument({
        ...{ task: definition.name, document, origin, gold },
        logLikelihoods: scores.map(({ logLikelihoods }) => requests.map((place) => logLikelihoods[place]!)),
        metrics: values.map((ofModel) => {
          const ofTask = ofModel[definition.name]
          if (!ofTask) return null
          return Object.fromEntries(Object.entries(ofTask).map(([metric, all]) => [metric, all[document]!]))
        }),
      })
    }
  }
}
