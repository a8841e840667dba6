import { chunk } from '../../base/chunk.js'
import { InterruptedError, LayerpruneError, UsageError } from '../../base/errors.js'
import { formatQuantity } from '../../base/format-numbers.js'
import { nameOption } from '../../base/name-option.js'
import { type Model, openModel, prepareModel } from '../../engine/model.js'
import type { Plan } from '../../results/documents/plan.js'
import type { ReadText } from '../../texts/tokens/windows.js'
import type { Evaluator } from '../evaluate/evaluator.js'
import { openEvaluator } from '../evaluate/open-evaluator.js'
import { findTasks } from '../tasks/find-tasks.js'
import { type OpenTasks, openTasks } from '../tasks/open-tasks.js'
import { type PreparedDocument, readTasks } from '../tasks/prepare-tasks.js'
import { scoreTasks, type TaskScores } from '../tasks/score-tasks.js'
import { shareRuns } from '../tasks/share-runs.js'
import { asBlocks } from './choose-layers.js'
import { type Measuring, removeGreedily } from './greedy.js'
import type { PlanningOptions } from './plan-options.js'

export interface Searched {
  model: Model
  open: () => Promise<Evaluator>
}

const DEFAULT_LIMIT = 128
/** Races of candidates are decided after quarters of the batches. */
const BATCHES = 8

/**
 * Removes one layer after another, each time the one without which a task's right answers are most likely (after TALE,
 * arXiv 2510.22767, which takes the accuracy): of choices the probability of the right ones among all.
 * The documents are those that examples come from, so that what the task is measured on is left for that.
 * @param task  name of a task, or a YAML file
 * @param openSearched  opens the model; cuts are measured as they are if omitted
 * @throws UsageError if it is a group
 * @throws LayerpruneError if the task cannot be used, or has no document with a right choice
 */
export async function planByTask(
  options: PlanningOptions,
  task: string,
  openSearched = () => openWhole(options),
): Promise<Pick<Plan, 'removed' | 'scores' | 'dataset'>> {
  const { limit = DEFAULT_LIMIT, signal, layersToSkip: n } = options
  const asked = { ...options, tasks: [task], limit }
  const [definition, ...others] = (await findTasks([task])).tasks
  if (definition === undefined || others.length > 0) {
    throw new UsageError(`${task} is a group: name one of its tasks`)
  }
  const { name, dataset, split, exampleSplit } = definition
  if (split === exampleSplit) {
    options.onNote?.(`${name} has no other split than ${split}: measure on documents after the first ${limit}`)
  }
  const reading = { phase: 'reading tasks', done: 0, total: null }
  options.onProgress?.(reading)
  const read = await readTasks(asked, { ofExamples: true })
  const { model, open } = await openSearched()
  options.onProgress?.(reading)
  const tasks = await openTasks(model, asked, read)
  const { batches, measuring } = makeMeasuring(tasks)
  let layers = 0
  const evaluator = options.memory.remember(await open())
  try {
    const steps = await removeGreedily(measuring(evaluator), batches, {
      ...{ layers: model.config.layers, n },
      // without a layer, a task may be solved better
      isMonotone: false,
      onProgress(progress) {
        layers = progress.done
        options.onProgress?.(progress)
      },
    })
    return {
      removed: asBlocks(steps.map(({ layer }) => layer)),
      scores: { task: name, perplexity: steps.at(-1)!.perplexity, steps },
      dataset: {
        id: dataset,
        split: exampleSplit,
        documents: batches.flat().length,
        fewshot: read.tasks[0]!.examples,
      },
    }
  } catch (cause) {
    throw signal?.aborted ? new InterruptedError(`after ${layers} of ${formatQuantity(n, 'layer')}`) : cause
  } finally {
    await evaluator.close()
  }
}

/** @throws UsageError if texts are given to a plan that is made from the documents of a task */
export function assertNoTexts({ dataset = [], datasetSize }: PlanningOptions, chosenBy: string): void {
  const given = dataset.length > 0 ? 'dataset' : datasetSize === undefined ? undefined : 'datasetSize'
  if (given === undefined) return
  throw new UsageError(`${chosenBy} chooses on the documents of the task: omit ${nameOption(given)}`)
}

async function openWhole(options: PlanningOptions): Promise<Searched> {
  const { threads, device = 'cpu', signal, onProgress } = options
  const model = await prepareModel(await openModel(options, 'measure', { trees: true }), options)
  return { model, open: () => openEvaluator(model, { threads, device, signal, onProgress }) }
}

/** The documents of a task as texts of a single scored token, the right answer. */
function makeMeasuring({ prepared, run: { batchSize, trees } }: OpenTasks) {
  const documents = prepared.tasks[0]!.documents.filter(({ gold }) => gold.length > 0)
  if (documents.length === 0) {
    throw new LayerpruneError(`task ${prepared.tasks[0]!.definition.name}: no document has a right choice`)
  }
  const byText = new Map<ReadText, PreparedDocument>(
    documents.map((document) => [{ ids: [0, 0], sizeBytes: 0, origin: document.origin }, document]),
  )
  const texts = [...byText.keys()]
  const batches = chunk(texts, Math.ceil(texts.length / BATCHES))
  const measuring = (evaluator: Pick<Evaluator, 'scoreContinuations'>): Measuring => ({
    async measure(batch, candidates, onAdvance) {
      const asked = batch.map((text) => byText.get(text as ReadText)!)
      const places = asked.flatMap(({ requests }) => requests)
      const requests = places.map((place) => prepared.requests[place]!)
      const part = { requests, runs: shareRuns(requests, () => asked[0]!.origin, trees) }
      const scores = await scoreTasks(evaluator, part, candidates, { batchSize, onAdvance })
      return scores.map((ofCandidate) =>
        Float64Array.from(splitScores(asked, ofCandidate), ([gold, values]) => missOf(gold, values)),
      )
    },
  })
  return { batches, measuring }
}

function splitScores(
  documents: PreparedDocument[],
  { logLikelihoods }: TaskScores,
): [gold: number[], values: number[]][] {
  let start = 0
  return documents.map(({ gold, requests }) => {
    const values = [...logLikelihoods.subarray(start, start + requests.length)]
    start += requests.length
    return [gold, values]
  })
}

/** The negative logarithm of the right choice's share of the probability; for a single continuation, of its probability. */
function missOf(gold: number[], values: number[]): number {
  if (values.length === 1) return 0 - values[0]!
  return logSum(values) - logSum(gold.map((place) => values[place]!))
}

function logSum(values: number[]): number {
  const most = Math.max(...values)
  return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0))
}
