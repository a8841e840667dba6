import type { Figures } from '../documents/evaluation-result.js'
import { InterruptedError } from '../errors.js'
import { openEvaluator } from '../evaluate/evaluator.js'
import { countScoredBytes } from '../evaluate/scored-bytes.js'
import { Tally } from '../evaluate/tally.js'
import { assertWholeFinite } from '../evaluate/whole-model.js'
import { formatQuantity } from '../format-numbers.js'
import { replaceWeights } from '../graph/replace-weights.js'
import type { Block } from '../layers/block.js'
import { type Model, openModel, prepareModel } from '../model.js'
import { assertCounts, assertRunCounts, chooseRunSettings, type RunSettings } from '../run/run-options.js'
import { TokenizerThread } from '../texts/tokenizer-thread.js'
import type { Replacement } from '../weights/replacement.js'
import type { WeightChange } from './fit-layer.js'
import { makeReplacements } from './make-replacements.js'
import { findRepairs, repairCuts } from './repair-cuts.js'
import { type RepairTextOptions, type RepairTexts, readRepairTexts } from './repair-texts.js'

export interface RepairModelOptions extends Omit<RepairTextOptions, 'onProgress'> {
  /** Blocks to remove. */
  removed: Block[]
  /** Tokens read of each text; if omitted, 256 or the model's limit. */
  maxLength?: number | undefined
  onProgress?: ((progress: { done: number; total: number; unit: 'cut' | 'text' }) => void) | undefined
}

const MAX_LENGTH = 256

/** How a repair was made and with what result. Keys may be added; none changes its meaning. */
export interface RepairReport {
  cuts: {
    start: number
    end: number
    /** Layer before the cut, by its number in the whole model. */
    layer: number
    /** The changed tensor of that layer's MLP, by its name in the whole model. */
    weight: string
    /** Likewise, if the layer has one. */
    bias: string | null
    /** Ridge strength chosen on held-out texts, as a multiple of the mean square of the inputs. */
    ridge: number
    /** Share of the cut's squared error on held-out texts that remains after the layer's changes, 0 to 1. */
    heldOutShare: number
  }[]
  /** All changed tensors, including those of the cuts, by their names in the whole model. */
  changed: { layer: number; weight: string; bias: string | null; ridge: number }[]
  calibration: { id: string; texts: number; tokens: number; maxLength: number }
  evaluation: { id: string; texts: number; scoredTokens: number; repeated: number }
  /** On the evaluation texts; null if it is not finite. */
  perplexity: { whole: number | null; cut: number | null; repaired: number | null }
  standardError: { whole: number | null; cut: number | null; repaired: number | null }
}

/**
 * Repairs a model from which blocks of layers are removed, and measures it whole, cut and repaired, on texts that the repair
 * was not fitted on.
 * @returns the changed weights by their names in the whole model, and the report
 * @throws UsageError if an option is out of range, or a block does not fit the model
 * @throws InterruptedError if `signal` was aborted
 * @throws LayerpruneError if the model or the texts cannot be used, or this kind of model cannot be repaired
 */
export async function repairModel(
  options: RepairModelOptions,
): Promise<{ replacements: Map<string, Replacement>; report: RepairReport }> {
  assertRunCounts(options)
  assertCounts({ 'texts to measure on': options.evaluateSize })
  const { removed, threads, device = 'cpu', signal, onNote, onProgress } = options
  let tokenizer: TokenizerThread | undefined
  try {
    const model = await prepareModel(await openModel(options, 'change'), options)
    findRepairs(model, removed)
    const maxLength = options.maxLength ?? Math.min(MAX_LENGTH, model.config.maxPositions ?? MAX_LENGTH)
    const settings = chooseRunSettings({ ...options, maxLength }, model, onNote)
    tokenizer = new TokenizerThread(model.folder, signal)
    const texts = await readRepairTexts({ ...options, onProgress: undefined }, tokenizer.encode, settings)
    const { calibration, evaluation } = texts
    if (evaluation.repeated > 0) {
      onNote?.(
        `passed over ${formatQuantity(evaluation.repeated, 'text')} to measure on, which the repair is fitted on too`,
      )
    }
    const repairs = await repairCuts(model, {
      removed,
      batches: calibration.batches,
      threads,
      device,
      signal,
      onProgress: ({ cuts, total }) => onProgress?.({ done: cuts, total, unit: 'cut' }),
    })
    const changes = repairs.flatMap((repair) => repair.changes)
    const replacements = await makeReplacements(model.decoder, changes)
    const repairedModel = { ...model, decoder: replaceWeights(model.decoder, replacements) }
    const [whole, cut, repaired] = await measure(
      [
        { model, candidates: [[], removed] },
        { model: repairedModel, candidates: [removed] },
      ],
      { texts, tokenizer, settings, options: { threads, device, signal, onProgress } },
    )
    if (!((repaired?.perplexity ?? Infinity) < (cut?.perplexity ?? Infinity))) {
      onNote?.('the repair did not lower the perplexity of the cut: without --repair the model is no worse')
    }
    const report: RepairReport = {
      cuts: repairs.flatMap(({ removed, changes, heldOutShare }) =>
        removed === null ? [] : [{ ...removed, ...describeChange(changes.at(-1)!), heldOutShare }],
      ),
      changed: changes.map(describeChange),
      calibration: {
        id: calibration.id,
        texts: calibration.batches.flat().length,
        tokens: countTokens(calibration.batches, 0),
        maxLength: settings.maxLength,
      },
      evaluation: {
        id: evaluation.id,
        texts: evaluation.batches.flat().length,
        scoredTokens: countTokens(evaluation.batches, 1),
        repeated: evaluation.repeated,
      },
      perplexity: { whole: finite(whole), cut: finite(cut), repaired: finite(repaired) },
      standardError: {
        whole: whole?.standardError ?? null,
        cut: cut?.standardError ?? null,
        repaired: repaired?.standardError ?? null,
      },
    }
    return { replacements, report }
  } catch (cause) {
    throw signal?.aborted
      ? new InterruptedError('before the repair was complete; nothing is left of it')
      : cause
  } finally {
    tokenizer?.close()
  }
}

function describeChange({ product: { layer, weight, bias }, ridge }: WeightChange) {
  return { layer, weight: weight.name, bias: bias?.name ?? null, ridge }
}

interface Measured {
  model: Model
  candidates: Block[][]
}

/**
 * Figures of all candidates of all models over the evaluation texts; undefined if they are not finite.
 * @throws LayerpruneError if those of a whole model are not
 */
async function measure(
  models: Measured[],
  {
    texts: { evaluation },
    tokenizer,
    settings,
    options,
  }: {
    texts: RepairTexts
    tokenizer: TokenizerThread
    settings: RunSettings
    options: Pick<RepairModelOptions, 'threads' | 'signal' | 'onProgress'> & {
      device: NonNullable<RepairModelOptions['device']>
    }
  },
): Promise<(Figures | undefined)[]> {
  const total = evaluation.batches.flat().length * models.length
  let done = 0
  const figures: (Figures | undefined)[] = []
  for (const { model, candidates } of models) {
    const evaluator = await openEvaluator(model, { ...options, blocks: candidates.flat() })
    const tally = new Tally(candidates.length)
    try {
      for (const batch of evaluation.batches) {
        const scores = await evaluator.measure(batch, candidates)
        for (const [index, text] of batch.entries()) {
          const nats = Float64Array.from(scores, (row) => row[index]!)
          if (candidates[0]!.length === 0) assertWholeFinite(nats[0]!, text)
          const bytes = await countScoredBytes(text, tokenizer.decode, settings.maxLength)
          tally.addText(nats, text.ids.length - 1, bytes)
        }
        done += batch.length
        options.onProgress?.({ done, total, unit: 'text' })
      }
    } finally {
      await evaluator.close()
    }
    figures.push(...candidates.map((_, index) => (tally.hasFailed(index) ? undefined : tally.figures(index))))
  }
  return figures
}

function finite(figures: Figures | undefined): number | null {
  return figures?.perplexity ?? null
}

function countTokens(batches: { ids: number[] }[][], notCounted: number): number {
  return batches.flat().reduce((sum, { ids }) => sum + ids.length - notCounted, 0)
}
