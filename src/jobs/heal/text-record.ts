import type { Figures } from '../../results/documents/evaluation-result.js'
import { PLAN_FILE } from '../../results/documents/plan.js'
import { joinUses, publicUses, type TextUses } from '../../results/documents/text-uses.js'
import { formatTextsFile, TEXTS_FILE } from '../../results/documents/texts-file.js'
import { type PlannedFile, textFile } from '../write-model/planned-file.js'
import type { HealResult } from './heal-result.js'
import type { HealData } from './heal-work.js'
import type { TrainingSettings } from './settings.js'

type Known = Pick<Figures, 'perplexity' | 'standardError'>
type Compared = Pick<HealResult, 'perplexity' | 'standardError'>

/** The whole model's figures, if the model was measured with it before on the same texts, as long; else undefined. */
export function recallWhole({ texts, uses }: HealData, { maxLength }: TrainingSettings): Known | undefined {
  const measured = texts.heldOut.isMeasured ? uses.measured : undefined
  const perplexity = measured?.perplexity.whole ?? null
  if (measured?.maxLength !== maxLength || perplexity === null) return undefined
  return { perplexity, standardError: measured.standardError.whole ?? null }
}

/** The texts of a training, and what was measured on them, beside what was known of the same texts. */
export function recordUses(
  { texts: { training, heldOut }, uses }: HealData,
  { maxLength }: TrainingSettings,
  { perplexity, standardError }: Compared,
): TextUses {
  const before = heldOut.isMeasured ? uses.measured : undefined
  return {
    trained: [training.record],
    measured: {
      ...heldOut.record,
      maxLength,
      perplexity: { ...before?.perplexity, ...nameForms(perplexity) },
      standardError: { ...before?.standardError, ...nameForms(standardError) },
    },
  }
}

/** The file that says which texts a healed model was made with: the plan of its cut, or one that says no more. */
export function planRecord({ plan, uses }: HealData, own: TextUses): PlannedFile {
  const texts = publicUses(joinUses(uses, own))
  if (plan === undefined) return textFile(TEXTS_FILE, formatTextsFile(texts))
  return textFile(PLAN_FILE, `${JSON.stringify({ ...plan, texts }, null, 2)}\n`)
}

function nameForms({ whole, after }: Compared['standardError']): Record<string, number | null> {
  return { ...(whole !== undefined && { whole }), healed: after }
}
