import type { Figures } from '../../results/documents/evaluation-result.js'
import type { Plan } from '../../results/documents/plan.js'
import { joinUses, type MeasuredTexts, publicUses } from '../../results/documents/text-uses.js'
import type { HealTexts } from './heal-texts.js'

type Known = Pick<Figures, 'perplexity' | 'standardError'>

/** What the plan of a pruned model says of the whole one, if it is of the texts and the length that are measured now. */
export function recallWhole({ heldOut }: HealTexts, plan: Plan | undefined, maxLength: number): Known | undefined {
  const measured = heldOut.isMeasured ? plan?.texts?.measured : undefined
  const perplexity = measured?.perplexity.whole ?? null
  if (measured === undefined || measured.maxLength !== maxLength || perplexity === null) return undefined
  return { perplexity, standardError: measured.standardError.whole ?? null }
}

/** The plan of a healed model: that of the pruned one, with the texts that it was trained and measured on. */
export function planHealed(
  plan: Plan,
  { training, heldOut }: HealTexts,
  { maxLength, perplexity, standardError }: Pick<MeasuredTexts, 'maxLength' | 'perplexity' | 'standardError'>,
): Plan {
  const before = heldOut.isMeasured ? plan.texts?.measured : undefined
  const texts = joinUses(plan.texts, {
    trained: [training.record],
    measured: {
      ...heldOut.record,
      maxLength,
      perplexity: { ...before?.perplexity, ...perplexity },
      standardError: { ...before?.standardError, ...standardError },
    },
  })
  return { ...plan, texts: publicUses(texts) }
}
