import { LayerpruneError } from '../errors.js'
import type { Evaluator } from '../evaluate/evaluator.js'
import { assertWholeFinite } from '../evaluate/whole-model.js'
import { formatQuantity } from '../format-numbers.js'
import type { Block } from '../layers/block.js'
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
  /** Called with how many texts all steps have done, and how many they will have. */
  onTexts?: (done: number, total: number) => void
}

/**
 * As `removeGreedily`, by whatever loss the evaluator measures.
 * @throws LayerpruneError if the whole model's loss of a text is not finite, or no layer leaves a finite one
 */
export async function removeByLoss(
  evaluator: Measuring,
  batches: ReadText[][],
  { layers, n, onTexts }: GreedySearch,
): Promise<LossStep[]> {
  const texts = batches.flat().length
  const steps: LossStep[] = []
  for (let step = 0; step < n; step++) {
    const removed = steps.map(({ layer }) => layer)
    const left = Array.from({ length: layers }, (_, layer) => layer).filter(
      (layer) => !removed.includes(layer),
    )
    const candidates = left.map((layer) => asBlocks([...removed, layer]))
    // the whole model, run beside those that share all but one of its layers, takes hardly any longer
    const measuring = step === 0 ? alsoWhole(evaluator) : evaluator
    const winner = await race(measuring, batches, candidates, (done) =>
      onTexts?.(step * texts + done, n * texts),
    )
    if (!Number.isFinite(Math.exp(winner.loss))) throw noLayerError(step)
    steps.push({ layer: left[winner.candidate]!, loss: winner.loss })
  }
  return steps
}

/** Measures candidates by their divergence from the whole model, KL(whole || candidate), in nats. */
export function measureDivergence(evaluator: Pick<Evaluator, 'compare'>): Measuring {
  return {
    async measure(batch, candidates) {
      const [, ...compared] = await evaluator.compare(batch, candidates)
      return compared.map(({ divergences }) => divergences)
    },
  }
}

/** Measures candidates once the whole model is seen to have a finite likelihood. */
function alsoWhole(evaluator: Measuring): Measuring {
  return {
    async measure(batch, candidates) {
      const [whole, ...scores] = await evaluator.measure(batch, [[], ...candidates])
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
  onTexts: (done: number) => void,
): Promise<{ candidate: number; loss: number }> {
  const nats = new Float64Array(candidates.length)
  let running = candidates.map((_, candidate) => candidate)
  let texts = 0
  for (const [index, batch] of batches.entries()) {
    const scores = await evaluator.measure(
      batch,
      running.map((candidate) => candidates[candidate]!),
    )
    for (const [row, candidate] of running.entries()) nats[candidate]! += sum(scores[row]!)
    const remaining = Math.max(
      FINALISTS,
      Math.ceil(candidates.length * shareAfter((index + 1) / batches.length)),
    )
    running = running.sort((a, b) => compare(nats[a]!, nats[b]!)).slice(0, remaining)
    texts += batch.length
    onTexts(texts)
  }
  const scored = batches.flat().reduce((count, { ids }) => count + ids.length - 1, 0)
  return { candidate: running[0]!, loss: nats[running[0]!]! / scored }
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

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0)
}
