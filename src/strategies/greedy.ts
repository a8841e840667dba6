import { LayerpruneError } from '../errors.js'
import type { Evaluator } from '../evaluate/evaluator.js'
import { assertWholeFinite } from '../evaluate/whole-model.js'
import { formatQuantity } from '../format-numbers.js'
import type { OnProgress } from '../progress.js'
import type { ReadText } from '../texts/windows.js'
import { asBlocks } from './choose-layers.js'
import { lossOf, type Measuring, type Runner, race, splitRounds } from './race.js'
import { SearchWork } from './search-work.js'

export type { Measuring } from './race.js'

/** A removed layer, and how well the rest of the model does. */
export interface GreedyStep {
  layer: number
  /** Of the model without this layer and those of the steps before, over the calibration texts. */
  perplexity: number
}

/** A removed layer, and what the model without it and those of the steps before loses per scored token, in nats. */
export interface LossStep {
  layer: number
  loss: number
}

/**
 * Removes one layer after another, each time the one without which the perplexity over the given texts is lowest
 * (Song et al. 2024, SLEB, arXiv 2402.09025). Each step is a race, see `race`.
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
  /** Whether the model takes batches of this size alone. */
  hasFixedBatch?: boolean | undefined
  /** Whether no loss falls when more layers are removed, so that some need not be measured again; true if omitted. */
  isMonotone?: boolean | undefined
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
  const { layers, n, hasFixedBatch = false, isMonotone = true } = search
  const rounds = splitRounds(batches, hasFixedBatch)
  const work = new SearchWork({ ...search, isMonotone }, rounds)
  const earlier = new Map<number, Float64Array>()
  const tokens = countScored(batches.flat())
  const steps: LossStep[] = []
  for (let step = 0; step < n; step++) {
    const removed = steps.map(({ layer }) => layer)
    const left = Array.from({ length: layers }, (_, layer) => layer).filter(
      (layer) => !removed.includes(layer),
    )
    const runners = left.map(
      (layer): Runner => ({
        layer,
        removed: asBlocks([...removed, layer]),
        losses: new Float64Array(batches.flat().length).fill(Number.NaN),
        earlier: isMonotone ? earlier.get(layer) : undefined,
      }),
    )
    // the whole model, run beside those that share all but one of its layers, takes hardly any longer
    const measuring = step === 0 ? alsoWhole(evaluator) : evaluator
    const [winner] = (await race(measuring, rounds, runners, work.startRace(step))) as [Runner]
    const loss = lossOf(winner) / tokens
    if (!Number.isFinite(Math.exp(loss))) throw noLayerError(step)
    steps.push({ layer: winner.layer, loss })
    for (const { layer, losses } of runners) {
      const before = earlier.get(layer)
      earlier.set(
        layer,
        losses.map((value, text) => (Number.isNaN(value) && before ? before[text]! : value)),
      )
    }
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

function countScored(texts: ReadText[]): number {
  return texts.reduce((count, { ids }) => count + ids.length - 1, 0)
}
