import { isObject } from '../../base/is-object.js'
import type { Block } from '../../model/layers/block.js'
import { countLayers } from '../../model/layers/count-layers.js'
import { formatRemoved } from '../../model/layers/names.js'
import type { EvaluationResult } from './evaluation-result.js'
import type { Plan } from './plan.js'
import type { PruneResult } from './prune-result.js'
import { findRecommendedCut } from './recommended-plan.js'
import { SCHEMAS } from './schemas.js'
import type { SimilarityResult } from './similarity-result.js'
import type { SweepResult } from './sweep-result.js'
import type { TaskResult } from './task-result.js'
import type { Verification } from './verification.js'

/** What a document says of a cut, or of a model that was compared with another; undefined if it was not measured. */
export interface MeasuredCut {
  /** `without layers 4..7`, or `of MODEL`. */
  name: string
  /** Perplexity over that of the whole model; null if it is not finite. */
  perplexityRatio?: number | null | undefined
  /** KL divergence from the whole model, in nats per token; null if it is not finite. */
  kl?: number | null | undefined
  /** Accuracies by task; undefined if a likelihood is not finite. */
  accuracies: Record<string, number | undefined>
  /** Size of the weights on disk. */
  bytes?: number | undefined
}

/** The figures of the whole model may be missing in what was not read from a file. */
export type CheckedResult = SimilarityResult & {
  verification?: Pick<Verification, 'recommended'> & Partial<Verification>
}

export type MeasuredDocument = CheckedResult | EvaluationResult | TaskResult | SweepResult | Plan | PruneResult

/**
 * The cuts that a document measured: of a similarity result and a sweep the recommended one; of an evaluation and of
 * tasks all, or the model itself if none was cut; of a plan, and of what was pruned, its cut.
 */
export function listMeasuredCuts(document: MeasuredDocument): MeasuredCut[] {
  switch (document.schema) {
    case SCHEMAS.similarity:
      return ofVerification(document)
    case SCHEMAS.evaluation:
      return ofEvaluation(document)
    case SCHEMAS.tasks:
      return ofTasks(document)
    case SCHEMAS.sweep:
      return ofSweep(document)
    case SCHEMAS.prune:
      return [{ ...ofPlan(document.plan), ...ofRepair(document), bytes: document.bytes.pruned }]
    default:
      return [ofPlan(document)]
  }
}

function nameCut(removed: Block[]): string {
  return `without ${countLayers(removed) === 1 ? 'layer' : 'layers'} ${formatRemoved(removed)}`
}

/** @param whole  perplexity of the whole model */
function divide(perplexity: number | null | undefined, whole: number): number | null | undefined {
  return perplexity === null || perplexity === undefined ? perplexity : perplexity / whole
}

function ofVerification({ verification }: CheckedResult): MeasuredCut[] {
  if (verification?.perplexity === undefined) return []
  const { recommended, perplexity } = verification
  const { start, end } = recommended
  const perplexityRatio = divide(recommended.perplexity, perplexity)
  return [{ name: nameCut([{ start, end }]), perplexityRatio, accuracies: {} }]
}

function ofEvaluation({ model, perplexity, candidates, against, tasks = {} }: EvaluationResult): MeasuredCut[] {
  if (against !== undefined) {
    return [
      { name: `of ${model.id}`, perplexityRatio: perplexity / against.perplexity, kl: against.kl, accuracies: {} },
    ]
  }
  if (candidates.length === 0) return [{ name: `of ${model.id}`, accuracies: accuraciesOf(tasks) }]
  return candidates.map((cut) => ({
    name: nameCut(cut.removed),
    perplexityRatio: divide(cut.perplexity, perplexity),
    kl: cut.perplexity === null ? null : cut.kl,
    accuracies: accuraciesOf(cut.tasks ?? {}),
  }))
}

function ofTasks({ model, tasks, candidates }: TaskResult): MeasuredCut[] {
  if (candidates.length === 0) return [{ name: `of ${model.id}`, accuracies: accuraciesOf(tasks) }]
  return candidates.map(({ removed, tasks: cut }) => ({ name: nameCut(removed), accuracies: accuraciesOf(cut) }))
}

function ofSweep({ whole, candidates, recommended }: SweepResult): MeasuredCut[] {
  const cut = findRecommendedCut({ candidates, recommended })
  if (cut === undefined) return []
  const predictions = cut.repaired ?? cut
  return [
    {
      name: nameCut(cut.removed),
      perplexityRatio: divide(predictions.perplexity, whole.perplexity),
      kl: 'kl' in predictions ? predictions.kl : null,
      accuracies: accuraciesOf(cut.tasks ?? {}),
      bytes: cut.bytes,
    },
  ]
}

function ofPlan({ removed, scores = {} }: Plan): MeasuredCut {
  const { repairedPerplexity, perplexity = repairedPerplexity, wholePerplexity } = scores
  const found = repairedPerplexity ?? perplexity
  const isKnown = typeof found === 'number' && typeof wholePerplexity === 'number'
  return { name: nameCut(removed), perplexityRatio: isKnown ? found / wholePerplexity : undefined, accuracies: {} }
}

/** `prune --repair --json` adds how the repaired model does. */
function ofRepair(document: PruneResult & { repair?: unknown }): Pick<MeasuredCut, 'perplexityRatio'> {
  const figures = isObject(document.repair) ? document.repair.perplexity : undefined
  if (!isObject(figures)) return {}
  const { repaired, whole } = figures
  return { perplexityRatio: typeof repaired === 'number' && typeof whole === 'number' ? repaired / whole : null }
}

function accuraciesOf(tasks: Record<string, { acc?: number } | null>): MeasuredCut['accuracies'] {
  return Object.fromEntries(Object.entries(tasks).map(([name, figures]) => [name, figures?.acc]))
}
