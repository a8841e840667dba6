import { LayerpruneError } from '../../base/errors.js'
import { formatQuantity } from '../../base/format-numbers.js'
import type { OnProgress } from '../../base/progress.js'
import type { ReadText } from '../../texts/tokens/windows.js'
import type { Evaluator } from '../evaluate/evaluator.js'
import { assertWholeFinite } from '../evaluate/whole-model.js'
import { asBlocks } from './choose-layers.js'
import { lossOf, type Measuring, type Round, type Runner, race, splitRounds } from './race.js'
import { SearchWork } from './search-work.js'

export type { Measuring } from './race.js'

/** A removed layer, and the perplexity of the model without it. */
export interface GreedyStep {
  layer: number
  /** Loss of the model without this layer and those of the steps before, over the calibration texts. */
  perplexity: number
}

/** A removed layer, and the model's loss per scored token without it and those before, in nats. */
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
  /** Formats a loss for progress; as a perplexity if omitted. */
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
  const hasErrors = evaluator.measureErrors !== undefined
  const work = new SearchWork({ ...search, isMonotone, hasErrors }, rounds)
  const measured = new Map<number, Pick<Runner, 'earlier' | 'added'>>()
  const tokens = countScored(batches.flat())
  const steps: LossStep[] = []
  /** For each text, the loss of the model that candidates branch off from. */
  let losses: Float64Array = new Float64Array(batches.flat().length)
  for (let step = 0; step < n; step++) {
    const removed = steps.map(({ layer }) => layer)
    const runners = await lineUp(evaluator, { layers, removed, rounds }, measured)
    // the whole model, run beside those that share all but one of its layers, takes hardly any longer
    const measuring = step === 0 ? alsoWhole(evaluator, rounds, losses) : evaluator
    const [winner] = (await race(measuring, rounds, runners, work.startRace(step))) as [Runner]
    const loss = lossOf(winner) / tokens
    if (!Number.isFinite(Math.exp(loss))) throw noLayerError(step)
    steps.push({ layer: winner.layer, loss })
    if (isMonotone) for (const runner of runners) keepLosses(measured, runner, losses)
    losses = winner.losses
  }
  return steps
}

async function lineUp(
  evaluator: Measuring,
  { layers, removed, rounds }: { layers: number; removed: number[]; rounds: Round[] },
  measured: Map<number, Pick<Runner, 'earlier' | 'added'>>,
): Promise<Runner[]> {
  const left = Array.from({ length: layers }, (_, layer) => layer).filter((layer) => !removed.includes(layer))
  const candidates = left.map((layer) => asBlocks([...removed, layer]))
  const texts = rounds.reduce((sum, { batch }) => sum + batch.length, 0)
  const errors = await evaluator.measureErrors?.(rounds[0]!.batch, asBlocks(removed), candidates)
  return left.map((layer, index) => ({
    layer,
    removed: candidates[index]!,
    losses: new Float64Array(texts).fill(Number.NaN),
    earlier: measured.get(layer)?.earlier,
    added: measured.get(layer)?.added,
    error: errors?.[index],
  }))
}

/** Keeps the losses of a candidate for the next step; of texts that it was not measured on, those of the step before. */
function keepLosses(
  measured: Map<number, Pick<Runner, 'earlier' | 'added'>>,
  { layer, losses, earlier, added }: Runner,
  before: Float64Array,
): void {
  if (earlier === undefined && losses.every(Number.isNaN)) return
  const update = (values: Float64Array, old: Float64Array | undefined) =>
    values.map((value, text) => (Number.isNaN(value) && old !== undefined ? old[text]! : value))
  measured.set(layer, {
    earlier: update(losses, earlier),
    added: update(
      losses.map((value, text) => value - before[text]!),
      added,
    ),
  })
}

/** Measures candidates by their divergence from the whole model, KL(whole || candidate), in nats. */
export function measureDivergence(evaluator: Pick<Evaluator, 'compare'> & Pick<Measuring, 'measureErrors'>): Measuring {
  return {
    measureErrors: evaluator.measureErrors?.bind(evaluator),
    async measure(batch, candidates, onAdvance) {
      const [, ...compared] = await evaluator.compare(batch, candidates, onAdvance)
      return compared.map(({ divergences }) => divergences)
    },
  }
}

/** Measures candidates once the whole model, whose losses are filled in, is seen to have a finite likelihood. */
function alsoWhole(evaluator: Measuring, rounds: Round[], losses: Float64Array): Measuring {
  return {
    async measure(batch, candidates, onAdvance) {
      const [whole, ...scores] = await evaluator.measure(batch, [[], ...candidates], onAdvance)
      for (const [index, text] of batch.entries()) assertWholeFinite(whole![index]!, text)
      losses.set(whole!, rounds.find((round) => round.batch === batch)!.first)
      return scores
    },
  }
}

function noLayerError(removed: number): LayerpruneError {
  return new LayerpruneError(
    `after ${formatQuantity(removed, 'layer')}, no further one can be removed with a finite perplexity`,
    { hint: 'remove fewer layers; if half precision overflows, try `dtype: fp32`' },
  )
}

function countScored(texts: ReadText[]): number {
  return texts.reduce((count, { ids }) => count + ids.length - 1, 0)
}
