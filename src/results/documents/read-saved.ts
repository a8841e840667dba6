import { isDeepStrictEqual } from 'node:util'
import { LayerpruneError } from '../../base/errors.js'
import { nameFlag } from '../../base/name-option.js'
import { isDescriptor } from '../../base/regular-file.js'
import { normalizeBlocks } from '../../model/layers/blocks.js'
import { countLayers } from '../../model/layers/count-layers.js'
import type { EvaluationResult } from './evaluation-result.js'
import { describeMetric, type Metric } from './metrics.js'
import { makePlan, type Plan } from './plan.js'
import type { PruneResult } from './prune-result.js'
import { type Documents, readDocument } from './read-document.js'
import type { MetricResult } from './similarity-result.js'
import type { SweepResult } from './sweep-result.js'
import type { TaskResult } from './task-result.js'
import type { ReportedResult, Verification, VerifiedBlock } from './verification.js'

export interface SavedDocuments {
  results: ReportedResult[]
  evaluations: EvaluationResult[]
  plans: Plan[]
  sweeps?: SweepResult[]
  /** What tasks measured without texts. */
  tasks?: TaskResult[]
  prunes?: PruneResult[]
  /** The path of each result and plan that can be read again. */
  files?: Map<object, string>
}

/**
 * Reads saved results, evaluations, plans, sweeps and what was pruned, each identified by its `schema`, in the order given.
 * @throws LayerpruneError if a file is missing, none of these, or damaged
 */
export async function readSavedDocuments(paths: string[]): Promise<Required<SavedDocuments>> {
  const documents: Required<SavedDocuments> = {
    ...{ results: [], evaluations: [], plans: [] },
    ...{ sweeps: [], tasks: [], prunes: [], files: new Map() },
  }
  const keepPath = <Document extends object>(path: string, document: Document): Document => {
    if (!isDescriptor(path)) documents.files.set(document, path)
    return document
  }
  for (const path of paths) {
    const { kind, document } = await readDocument(path)
    if (kind === 'similarity') documents.results.push(keepPath(path, checkResult(path, document)))
    else if (kind === 'evaluation') documents.evaluations.push(checkCuts(path, document))
    else if (kind === 'sweep') documents.sweeps.push(checkSweep(path, document))
    else if (kind === 'tasks') documents.tasks.push(checkCuts(path, document))
    else if (kind === 'prune') documents.prunes.push({ ...document, plan: checkPlan(path, document.plan) })
    else documents.plans.push(keepPath(path, checkPlan(path, document)))
  }
  return documents
}

/** Reads a `similarity.json` of a run or a shard; throws LayerpruneError if it is missing, another, or damaged. */
export const readSimilarityResult = readerOf('similarity', checkResult)

/** Reads what `evaluate --json` printed; throws LayerpruneError if it is missing, another, or damaged. */
export const readEvaluation = readerOf('evaluation', checkCuts<EvaluationResult>)

/** Reads a plan from its JSON file; throws LayerpruneError if it is missing, no plan, or damaged. */
export const readPlan = readerOf('plan', checkPlan)

/** Reads a `sweep.json` of a sweep or a shard; throws LayerpruneError if it is missing, another, or damaged. */
export const readSweep = readerOf('sweep', checkSweep)

function readerOf<Kind extends keyof Documents>(
  kind: Kind,
  check: (path: string, document: Documents[Kind]) => Documents[Kind],
) {
  return async (path: string) => check(path, (await readDocument(path, kind)).document)
}

/**
 * Reads what tasks measured, with texts or without, from what `evaluate --task --json` printed.
 * @throws LayerpruneError if the file is missing, has no tasks, or is damaged
 */
export async function readMeasuredTasks(path: string): Promise<Pick<TaskResult, 'model' | 'tasks' | 'candidates'>> {
  const { kind, document } = await readDocument(path)
  if (kind === 'tasks') return checkCuts(path, document)
  if (kind !== 'evaluation' || document.tasks === undefined) {
    throw new LayerpruneError(`${path} has no results of tasks`, {
      hint: `give what layerprune evaluate ${nameFlag('task')} ${nameFlag('json')} printed`,
    })
  }
  const { model, tasks, candidates } = checkCuts(path, document)
  return {
    model,
    tasks: tasks!,
    candidates: candidates.map(({ removed, tasks = {} }) => ({ removed, tasks })),
  }
}

// schemas say what each value of a document is; what follows holds the values against each other

function checkResult(path: string, result: ReportedResult): ReportedResult {
  const { model, layersToSkip, blocks, metrics = {}, verification } = result
  if (layersToSkip >= model.layers) {
    throw contradiction(
      path,
      `layersToSkip must be below the ${model.layers} layers of the model, found ${layersToSkip}`,
    )
  }
  checkMetric(path, result, result.metric, result)
  for (const [metric, measured] of Object.entries(metrics)) {
    checkMetric(path, result, metric as Metric, measured, `metrics.${metric}.`)
  }
  const row = result.distances[layersToSkip]!
  if (blocks.length !== row.length || blocks.some(({ start, distance }, i) => start !== i || distance !== row[i])) {
    throw contradiction(path, `blocks are not those of distances["${layersToSkip}"]`)
  }
  if (verification !== undefined && !isVerified(verification, row, layersToSkip)) {
    throw contradiction(path, 'verification.recommended is none of the blocks that were checked')
  }
  return result
}

/** @param within  where the metric's values are in the result */
function checkMetric(
  path: string,
  { model: { layers }, layersToSkip }: ReportedResult,
  metric: Metric,
  { distances, standardErrors, best }: MetricResult,
  within = '',
): void {
  const { limit } = describeMetric(metric)
  for (let n = 1; n <= layers; n++) {
    const entries = layers - n + 1
    for (const [key, rows] of Object.entries({ distances, standardErrors })) {
      if (rows[n]?.length === entries) continue
      throw contradiction(path, `${within}${key}["${n}"] must have ${entries} entries`)
    }
    const wrong = distances[n]!.find((distance) => distance > limit)
    if (wrong === undefined) continue
    throw contradiction(
      path,
      `${within}distances["${n}"] has ${wrong}, expected numbers from 0 to ${limit}, as ${metric} has them`,
    )
  }
  const isBlock = best.end === best.start + layersToSkip
  if (!isBlock || distances[layersToSkip]![best.start] !== best.distance) {
    throw contradiction(path, `${within}best is none of the blocks`)
  }
}

function isVerified({ blocks, recommended }: Verification, row: number[], size: number): boolean {
  const isBlock = ({ start, end, distance }: VerifiedBlock) => end - start === size && row[start] === distance
  return blocks.every(isBlock) && blocks.some((block) => isDeepStrictEqual(block, recommended))
}

function checkCuts<T extends EvaluationResult | TaskResult>(path: string, evaluation: T): T {
  for (const { removed } of evaluation.candidates) {
    explainBlocks(path, () => normalizeBlocks(removed, evaluation.model.layers))
  }
  return evaluation
}

function checkSweep(path: string, sweep: SweepResult): SweepResult {
  const { model, candidates, recommended } = sweep
  for (const { removed, layersToSkip } of candidates) {
    const blocks = explainBlocks(path, () => normalizeBlocks(removed, model.layers))
    if (countLayers(blocks) === layersToSkip) continue
    throw contradiction(path, `layersToSkip is ${layersToSkip}, but ${countLayers(blocks)} layers are removed`)
  }
  const isMeasured = candidates.some(({ removed }) => isDeepStrictEqual(removed, recommended?.removed))
  if (recommended !== null && !isMeasured) {
    throw contradiction(path, 'recommended is none of the candidates')
  }
  return sweep
}

function checkPlan(path: string, { layersToSkip, layerpruneVersion, run, ...parts }: Plan): Plan {
  const plan = explainBlocks(path, () => makePlan(parts))
  if (layersToSkip !== plan.layersToSkip) {
    throw contradiction(path, `layersToSkip is ${layersToSkip}, but ${plan.layersToSkip} layers are removed`)
  }
  return { ...plan, ...(run && { run }), layerpruneVersion }
}

/** What is wrong usage on the command line is damage in a file. */
function explainBlocks<T>(path: string, useBlocks: () => T): T {
  try {
    return useBlocks()
  } catch (error) {
    throw error instanceof LayerpruneError ? contradiction(path, error.message) : error
  }
}

function contradiction(path: string, found: string): LayerpruneError {
  return new LayerpruneError(`${path} contradicts itself: ${found}`)
}
