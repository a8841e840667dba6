import { UsageError } from '../../../base/errors.js'
import type { Block } from '../../../model/layers/block.js'
import { assertBlockSize } from '../../../model/layers/blocks.js'
import { countLayers } from '../../../model/layers/count-layers.js'
import { areOfOneSize } from '../../../results/documents/evaluation-columns.js'
import type { EvaluationResult } from '../../../results/documents/evaluation-result.js'
import type { Plan } from '../../../results/documents/plan.js'
import { readSavedDocuments } from '../../../results/documents/read-saved.js'
import { planRecommended, planVerifiedBlock } from '../../../results/documents/recommended-plan.js'
import { findBestBlock } from '../../../results/documents/result-views.js'
import type { SweepResult } from '../../../results/documents/sweep-result.js'
import type { TaskResult } from '../../../results/documents/task-result.js'
import { chosenOn, recordTexts } from '../../../results/documents/text-uses.js'
import type { ReportedResult } from '../../../results/documents/verification.js'
import type { CarriedOptions } from '../../../results/next-command.js'
import { printWarning } from '../../terminal/output.js'
import { noteRecommendation } from './note-recommendation.js'
import { pinnedRevision } from './result-files.js'

/** Layers to remove, as the user named them, not yet checked against a model. */
export interface Removal extends Pick<Plan, 'strategy' | 'scores' | 'dataset' | 'texts'> {
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
  /** Options of the run that made the file, if the file records them. */
  options?: CarriedOptions | undefined
}

/**
 * The cut that a saved file recommends or names: of a similarity result the block that perplexity recommends, or the
 * nearest; of a sweep the cut within its limits; of an evaluation its only cut, or of several of one size that of the
 * lowest perplexity; that of a plan, and of a folder or document that prune wrote.
 * @param layersToSkip  chooses the size in a result or an evaluation
 * @throws UsageError if the file names no cut, or several
 * @throws LayerpruneError if it cannot be read
 */
export async function readSavedCut(file: string, layersToSkip?: number): Promise<Removal> {
  const { results, sweeps, evaluations, tasks, plans, prunes } = await readSavedDocuments([file])
  if (results[0]) return takeBlock(file, results[0], layersToSkip)
  const measured = evaluations[0] ?? tasks[0]
  if (measured) return takeCandidate(file, measured, layersToSkip)
  if (layersToSkip !== undefined) {
    throw new UsageError(`${file} names one cut, and --layers-to-skip chooses among several`, {
      hint: 'name the layers with --drop',
    })
  }
  if (sweeps[0]) return takeRecommended(file, sweeps[0])
  return takePlan(file, plans[0] ?? prunes[0]!.plan)
}

function takePlan(file: string, { removed, strategy, scores, dataset, texts, model, run }: Plan): Removal {
  const { id, layers, family } = model
  const origin = { file, model: id, layers, family, options: run?.options }
  return { blocks: removed, ...{ strategy, scores, dataset, texts }, origin }
}

function takeRecommended(file: string, sweep: SweepResult): Removal {
  const plan = planRecommended(sweep)
  if (plan === null) {
    throw new UsageError(`${file} recommends no cut: it was made without limits, or none is within them`, {
      hint: 'sweep with --max-perplexity-ratio, or name the layers with --drop',
    })
  }
  const { removed, strategy, scores, dataset, texts } = plan
  return { blocks: removed, ...{ strategy, scores, dataset, texts }, origin: describeOrigin(file, sweep) }
}

/** Cuts of different sizes have no order: the smallest would always be taken. */
function takeCandidate(file: string, measured: EvaluationResult | TaskResult, layersToSkip?: number): Removal {
  const cuts = measured.candidates
    .map((cut) => ({ ...cut, size: countLayers(cut.removed) }))
    .filter(({ size }) => size === (layersToSkip ?? size))
  const isOrdered = 'perplexity' in measured && areOfOneSize(cuts)
  const perplexityOf = (cut: object) => ('perplexity' in cut ? (cut.perplexity as number | null) : null) ?? Infinity
  const [lowest, next] = isOrdered ? cuts.toSorted((a, b) => perplexityOf(a) - perplexityOf(b)).slice(0, 1) : cuts
  const size = layersToSkip === undefined ? '' : ` of ${layersToSkip} layers`
  if (lowest === undefined || next !== undefined) {
    throw new UsageError(
      lowest === undefined
        ? `${file} measured no cut${size}`
        : `${file} measured cuts that have no order: of several sizes, or on tasks alone`,
      { hint: 'name the layers with --drop' },
    )
  }
  const perplexity = perplexityOf(lowest)
  return {
    blocks: lowest.removed,
    strategy: 'evaluation',
    ...('perplexity' in measured && Number.isFinite(perplexity)
      ? {
          scores: { perplexity, wholePerplexity: measured.perplexity },
          texts: chosenOn(...(measured.chosenOn ?? []), recordTexts(measured.dataset, measured.settings)),
        }
      : {}),
    origin: describeOrigin(file, measured),
  }
}

function takeBlock(file: string, saved: ReportedResult, layersToSkip: number | undefined): Removal {
  const { model, metric, distances, partial, shard } = saved
  if (saved.bestBlocks !== undefined && layersToSkip === undefined) throw noSizeError(file)
  const n = layersToSkip ?? saved.layersToSkip
  assertBlockSize(n, model.layers)
  if (partial) printWarning(`${file} comes from an interrupted run`)
  if (shard) printWarning(`${file} covers only shard ${shard.index} of ${shard.count}`)
  const origin = describeOrigin(file, saved)
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
      readTexts: dataset.end ?? settings.datasetSize ?? dataset.samples + dataset.skipped.empty,
      ...(settings.shuffle !== undefined && { shuffle: settings.shuffle }),
    },
    texts: chosenOn(recordTexts(dataset, settings)),
    origin,
  }
}

/** Where a cut comes from; a plan records less of its model than a result. */
function describeOrigin(file: string, { model, run }: Pick<ReportedResult, 'model' | 'run'>): RemovalOrigin {
  return {
    file,
    model: model.id,
    revision: pinnedRevision(model),
    layers: model.layers,
    storedDtype: model.checkpointDtype,
    family: model.family,
    options: run?.options,
  }
}

/** The block that perplexity recommends, and its measurements; undefined if none of this size was checked. */
function takeVerifiedBlock(file: string, saved: ReportedResult, n: number): Removal | undefined {
  if (saved.verification === undefined) return undefined
  noteRecommendation(file, saved, n)
  if (n !== saved.layersToSkip) return undefined
  const { removed, strategy, scores, dataset, texts } = planVerifiedBlock(saved, saved.verification)
  return { blocks: removed, ...{ strategy, scores, dataset, texts } }
}

function noSizeError(file: string): UsageError {
  return new UsageError(`${file} has the nearest block of every size: choose one size`, {
    hint: 'give --layers-to-skip with --from',
  })
}
