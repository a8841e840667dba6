import type { Figures } from '../../results/documents/evaluation-result.js'
import type { WeightChange } from './make-replacements.js'
import type { LayerRepair } from './repair-cuts.js'
import type { RepairTexts } from './repair-texts.js'

/** How a repair was made and with what result. Keys may be added; none changes its meaning. */
export interface RepairReport {
  cuts: {
    start: number
    end: number
    /** Layer before the cut, by its number in the whole model. */
    layer: number
    /** The changed tensor of that layer's MLP, by its name in the whole model. */
    weight: string
    /** The changed bias, if the layer has one. */
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

/** Figures on the evaluation texts; undefined if they are not finite. */
export type RepairFigures = Record<'whole' | 'cut' | 'repaired', Figures | undefined>

/** @param maxLength tokens read of each text */
export function makeRepairReport(
  repairs: LayerRepair[],
  { calibration, evaluation }: RepairTexts,
  { whole, cut, repaired }: RepairFigures,
  maxLength: number,
): RepairReport {
  return {
    cuts: repairs.flatMap(({ removed, changes, heldOutShare }) =>
      removed === null ? [] : [{ ...removed, ...describeChange(changes.at(-1)!), heldOutShare }],
    ),
    changed: repairs.flatMap(({ changes }) => changes.map(describeChange)),
    calibration: {
      id: calibration.id,
      texts: calibration.batches.flat().length,
      tokens: countTokens(calibration.batches, 0),
      maxLength,
    },
    evaluation: {
      id: evaluation.id,
      texts: evaluation.batches.flat().length,
      scoredTokens: countTokens(evaluation.batches, 1),
      repeated: evaluation.repeated,
    },
    perplexity: {
      whole: whole?.perplexity ?? null,
      cut: cut?.perplexity ?? null,
      repaired: repaired?.perplexity ?? null,
    },
    standardError: {
      whole: whole?.standardError ?? null,
      cut: cut?.standardError ?? null,
      repaired: repaired?.standardError ?? null,
    },
  }
}

function describeChange({ product: { layer, weight, bias }, ridge }: WeightChange) {
  return { layer, weight: weight.name, bias: bias?.name ?? null, ridge }
}

/** @param notCounted tokens at the start of each text */
function countTokens(batches: { ids: number[] }[][], notCounted: number): number {
  return batches.flat().reduce((sum, { ids }) => sum + ids.length - notCounted, 0)
}
