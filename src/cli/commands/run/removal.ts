import { UsageError } from '../../../base/errors.js'
import type { Block } from '../../../model/layers/block.js'
import { assertBlockSize } from '../../../model/layers/blocks.js'
import { makePlan, type Plan, type PlannedModel } from '../../../results/documents/plan.js'
import { readDocument } from '../../../results/documents/read-document.js'
import { readPlan, readSimilarityResult, readSweep } from '../../../results/documents/read-saved.js'
import { planRecommended, planVerifiedBlock } from '../../../results/documents/recommended-plan.js'
import { findBestBlock } from '../../../results/documents/result-views.js'
import type { ReportedResult } from '../../../results/documents/verification.js'
import { printWarning } from '../../terminal/output.js'
import type { RemovalFlags } from '../removal-flags.js'
import { noteRecommendation } from './note-recommendation.js'
import { pinnedRevision } from './result-files.js'

/** Layers to remove, as the user named them, not yet checked against a model. */
export interface Removal extends Pick<Plan, 'strategy' | 'scores' | 'dataset'> {
  blocks: Block[]
  /** The file that names them, and its model; undefined if the user named the layers. */
  origin?: RemovalOrigin | undefined
}

interface RemovalOrigin {
  file: string
  /** A folder or a Hub id, as the file gives it. */
  model: string
  /** Commit on the Hub, if one was asked for. */
  revision?: string | undefined
  layers: number
  /** The dtype that the checkpoint stores, if the file records it. */
  storedDtype?: string | null | undefined
  /** The config's `model_type`, if the file records it. */
  family?: string | undefined
}

const WAYS = '--start and --end, --drop, --plan or --from'

/**
 * @throws UsageError if none or more than one removal is named
 * @throws LayerpruneError if a file they name cannot be used
 */
export async function readRemoval(flags: RemovalFlags): Promise<Removal> {
  const [removal, another] = await readRemovals(flags)
  if (removal === undefined) throw new UsageError(`no layers are named: give ${WAYS}`)
  if (another !== undefined) throw namedTwice()
  return removal
}

/**
 * Every removal that the flags name; none if they name none. Only --drop and --plan can name several.
 * @throws UsageError if ways that name one are mixed with another
 * @throws LayerpruneError if a file they name cannot be used
 */
export async function readRemovals(flags: RemovalFlags): Promise<Removal[]> {
  const { start, end, drop = [], plan = [], from, layersToSkip } = flags
  const ways = [start ?? end, drop[0] ?? plan[0], from].filter((way) => way !== undefined)
  if (ways.length > 1) throw namedTwice()
  if (layersToSkip !== undefined && from === undefined) {
    throw new UsageError('--layers-to-skip requires --from')
  }
  if (start !== undefined || end !== undefined) {
    if (start === undefined) throw new UsageError('--end requires --start')
    if (end === undefined) throw new UsageError('--start requires --end')
    return [{ blocks: [{ start, end }], strategy: 'explicit' }]
  }
  if (from !== undefined) return [await readRecommended(from, layersToSkip)]
  return [...drop.map((blocks) => ({ blocks, strategy: 'explicit' })), ...(await Promise.all(plan.map(readPlanFile)))]
}

/** @throws UsageError if the layers do not fit the model that the plan is for */
export async function planRemoval(removal: Removal, model: PlannedModel): Promise<Plan> {
  const { blocks, strategy, origin, scores, dataset } = removal
  if (origin !== undefined && origin.layers !== model.layers) {
    throw new UsageError(
      `${origin.file} is about ${origin.model}, a model of ${origin.layers} layers; ${model.id} has ${model.layers}`,
    )
  }
  return makePlan({ model, strategy, removed: blocks, scores, dataset })
}

/** The recommendation of a result, or of a sweep within its limits. */
async function readRecommended(file: string, layersToSkip: number | undefined): Promise<Removal> {
  const { kind } = await readDocument(file)
  return kind === 'sweep' ? readRecommendedCut(file, layersToSkip) : readRecommendedBlock(file, layersToSkip)
}

async function readRecommendedCut(file: string, layersToSkip: number | undefined): Promise<Removal> {
  const sweep = await readSweep(file)
  if (layersToSkip !== undefined) {
    throw new UsageError(`${file} recommends one cut, and --layers-to-skip chooses among blocks`, {
      hint: 'name the layers with --drop',
    })
  }
  const plan = planRecommended(sweep)
  if (plan === null) {
    throw new UsageError(`${file} recommends no cut: it was made without limits, or none is within them`, {
      hint: 'sweep with --max-perplexity-ratio, or name the layers with --drop',
    })
  }
  const { removed, strategy, scores, dataset } = plan
  return { blocks: removed, strategy, scores, dataset, origin: describeOrigin(file, sweep.model) }
}

async function readRecommendedBlock(file: string, layersToSkip: number | undefined): Promise<Removal> {
  const saved = await readSimilarityResult(file)
  const { model, metric, distances, partial, shard } = saved
  if (saved.bestBlocks !== undefined && layersToSkip === undefined) throw noSizeError(file)
  const n = layersToSkip ?? saved.layersToSkip
  assertBlockSize(n, model.layers)
  if (partial) printWarning(`${file} comes from an interrupted run`)
  if (shard) printWarning(`${file} covers only shard ${shard.index} of ${shard.count}`)
  const origin = describeOrigin(file, model)
  const verified = takeVerifiedBlock(file, saved, n)
  if (verified !== undefined) return { ...verified, origin }
  const { dataset, settings } = saved
  const best = findBestBlock(distances, n)
  const distance = distances[n]![best.start]!
  return {
    blocks: [best],
    ...(metric === 'angular'
      ? { strategy: metric, scores: { distance } }
      : { strategy: 'distance', scores: { metric, distance } }),
    dataset: {
      id: dataset.id,
      ...(dataset.shares && { shares: dataset.shares }),
      column: dataset.column,
      texts: dataset.samples,
      readTexts: settings.datasetSize ?? dataset.samples + dataset.skipped.empty,
      ...(settings.shuffle !== undefined && { shuffle: settings.shuffle }),
    },
    origin,
  }
}

function describeOrigin(file: string, model: ReportedResult['model']): RemovalOrigin {
  return {
    file,
    model: model.id,
    revision: pinnedRevision(model),
    layers: model.layers,
    storedDtype: model.checkpointDtype,
    family: model.family,
  }
}

/** The block that perplexity recommends, and its measurements; undefined if none of this size was checked. */
function takeVerifiedBlock(file: string, saved: ReportedResult, n: number): Removal | undefined {
  if (saved.verification === undefined) return undefined
  noteRecommendation(file, saved, n)
  if (n !== saved.layersToSkip) return undefined
  const { removed, strategy, scores, dataset } = planVerifiedBlock(saved, saved.verification)
  return { blocks: removed, strategy, scores, dataset }
}

async function readPlanFile(file: string): Promise<Removal> {
  const { removed, strategy, scores, dataset, model } = await readPlan(file)
  return {
    blocks: removed,
    strategy,
    scores,
    dataset,
    origin: { file, model: model.id, layers: model.layers, family: model.family },
  }
}

function noSizeError(file: string): UsageError {
  return new UsageError(`${file} has the nearest block of every size: choose one size`, {
    hint: 'give --layers-to-skip with --from',
  })
}

function namedTwice(): UsageError {
  return new UsageError(`the layers to remove are named more than once: give one of ${WAYS}`)
}
