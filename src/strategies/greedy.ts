import { LayerpruneError } from '../errors.js'
import type { Advance } from '../evaluate/batch-work.js'
import type { Evaluator } from '../evaluate/evaluator.js'
import { assertWholeFinite } from '../evaluate/whole-model.js'
import { formatPerplexity, formatQuantity } from '../format-numbers.js'
import type { Block } from '../layers/block.js'
import type { OnProgress } from '../progress.js'
import type { ReadText } from '../texts/windows.js'
import { asBlocks } from './choose-layers.js'

/** A removed layer, and how well the rest of the model does. */
export interface GreedyStep {
  layer: number
  /** Of the model without this layer and those of the steps before, over the calibration texts. */
  perplexity: number
}

export type Measuring = Pick<Evaluator, 'measure'>

/** A removed layer, and what the model without it and those of the steps before loses per scored token, in nats. */
export interface LossStep {
  layer: number
  loss: number
}

/** Candidates that are always measured on all texts. */
const FINALISTS = 3

/**
 * Removes one layer after another, each time the one without which the perplexity over the given texts is lowest
 * (Song et al. 2024, SLEB, arXiv 2402.09025).
 *
 * Each step is a race: all layers run on the first quarter of the batches, the better half of them on the next, the
 * better quarter on the rest.
 * @throws LayerpruneError if the whole model's likelihood of a text is not finite, or no layer leaves a finite perplexity
 */
export async function removeGreedily(
  evaluator: Measuring,
  batches: ReadText[][],
  search: GreedySearch,
): Promise<GreedyStep[]> {
  const steps = await removeByLoss(evaluator, batches, search)
  return steps.map(({ layer, loss }) => ({ layer, perplexity: Math.exp(loss) }))
}

export interface GreedySearch {
  layers: number
  /** Layers to remove, fewer than `layers`. */
  n: number
  onProgress?: OnProgress | undefined
  /** How progress names a loss; as a perplexity if omitted. */
  describeLoss?: ((loss: number) => string) | undefined
}

/**
 * As `removeGreedily`, by whatever loss the evaluator measures.
 * @throws LayerpruneError if the whole model's loss of a text is not finite, or no layer leaves a finite one
 */
export async function removeByLoss(
  evaluator: Measuring,
  batches: ReadText[][],
  search: GreedySearch,
): Promise<LossStep[]> {
  const { layers, n } = search
  const steps: LossStep[] = []
  for (let step = 0; step < n; step++) {
    const removed = steps.map(({ layer }) => layer)
    const left = Array.from({ length: layers }, (_, layer) => layer).filter(
      (layer) => !removed.includes(layer),
    )
    const candidates = left.map((layer) => asBlocks([...removed, layer]))
    // the whole model, run beside those that share all but one of its layers, takes hardly any longer
    const measuring = step === 0 ? alsoWhole(evaluator) : evaluator
    const winner = await race(measuring, batches, candidates, reportRace(search, batches, left))
    if (!Number.isFinite(Math.exp(winner.loss))) throw noLayerError(step)
    steps.push({ layer: left[winner.candidate]!, loss: winner.loss })
  }
  return steps
}

/** Measures candidates by their divergence from the whole model, KL(whole || candidate), in nats. */
export function measureDivergence(evaluator: Pick<Evaluator, 'compare'>): Measuring {
  return {
    async measure(batch, candidates, onAdvance) {
      const [, ...compared] = await evaluator.compare(batch, candidates, onAdvance)
      return compared.map(({ divergences }) => divergences)
    },
  }
}

/** Measures candidates once the whole model is seen to have a finite likelihood. */
function alsoWhole(evaluator: Measuring): Measuring {
  return {
    async measure(batch, candidates, onAdvance) {
      const [whole, ...scores] = await evaluator.measure(batch, [[], ...candidates], onAdvance)
      for (const [index, text] of batch.entries()) assertWholeFinite(whole![index]!, text)
      return scores
    },
  }
}

function noLayerError(removed: number): LayerpruneError {
  return new LayerpruneError(
    `after ${formatQuantity(removed, 'layer')}, no further one can be removed with a finite perplexity`,
    { hint: 'remove fewer layers; half precision can overflow: try --dtype fp32' },
  )
}

async function race(
  evaluator: Measuring,
  batches: ReadText[][],
  candidates: Block[][],
  report: ReportRace,
): Promise<{ candidate: number; loss: number }> {
  const nats = new Float64Array(candidates.length)
  let running = candidates.map((_, candidate) => candidate)
  let tokens = 0
  for (const [index, batch] of batches.entries()) {
    const leader = index === 0 ? null : { candidate: running[0]!, loss: nats[running[0]!]! / tokens }
    const reportBatch = (advance: Advance) =>
      report({ ...advance, batch: index, running: running.length, leader })
    reportBatch({ share: 0, candidates: 0 })
    const scores = await evaluator.measure(
      batch,
      running.map((candidate) => candidates[candidate]!),
      reportBatch,
    )
    for (const [row, candidate] of running.entries()) nats[candidate]! += sum(scores[row]!)
    const remaining = countRunning(candidates.length, index + 1, batches.length)
    running = running.sort((a, b) => compare(nats[a]!, nats[b]!)).slice(0, remaining)
    tokens += countScored(batch)
  }
  return { candidate: running[0]!, loss: nats[running[0]!]! / tokens }
}

/** How far a race is. */
interface RaceState extends Advance {
  /** The batch that runs. */
  batch: number
  /** Candidates in it. */
  running: number
  /** The best after the batches before; null in the first. */
  leader: { candidate: number; loss: number } | null
}

type ReportRace = (state: RaceState) => void

/** @param left  the layers that the candidates of the race remove */
function reportRace(
  { layers, n, onProgress, describeLoss = describePerplexity }: GreedySearch,
  batches: ReadText[][],
  left: number[],
): ReportRace {
  const step = layers - left.length
  const costs = Array.from({ length: n }, (_, index) => costsOfRace(layers - index, batches))
  const total = sum(costs.flat())
  const before = sum(costs.slice(0, step).flat())
  return ({ share, candidates, batch, running, leader }) => {
    const done = before + sum(costs[step]!.slice(0, batch)) + share * costs[step]![batch]!
    const best = leader && `, best so far ${left[leader.candidate]} -> ${describeLoss(leader.loss)}`
    onProgress?.({
      ...{ phase: 'search', done: step, total: n, share: done / total },
      detail: `layer ${step + 1} of ${n}, candidate ${Math.min(candidates + 1, running)} of ${running}${best ?? ''}`,
    })
  }
}

/** What each batch of a race costs: candidates times tokens. */
function costsOfRace(candidates: number, batches: ReadText[][]): number[] {
  return batches.map((batch, index) => countRunning(candidates, index, batches.length) * countScored(batch))
}

/** How many of some candidates are measured after so many of all batches. */
function countRunning(candidates: number, done: number, batches: number): number {
  if (done === 0) return candidates
  return Math.min(candidates, Math.max(FINALISTS, Math.ceil(candidates * shareAfter(done / batches))))
}

function countScored(batch: ReadText[]): number {
  return batch.reduce((count, { ids }) => count + ids.length - 1, 0)
}

function describePerplexity(loss: number): string {
  return formatPerplexity(Math.exp(loss))
}

/** The share of candidates that remain after a share of the batches. */
function shareAfter(done: number): number {
  if (done >= 1 / 2) return 1 / 4
  return done >= 1 / 4 ? 1 / 2 : 1
}

/** Ascending; what is not a number comes last. */
function compare(a: number, b: number): number {
  return (Number.isFinite(a) ? a : Number.MAX_VALUE) - (Number.isFinite(b) ? b : Number.MAX_VALUE)
}

function sum(values: Iterable<number>): number {
  let total = 0
  for (const value of values) total += value
  return total
}
