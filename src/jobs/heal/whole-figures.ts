import type { Figures } from '../../results/documents/evaluation-result.js'
import type { Plan } from '../../results/documents/plan.js'
import { joinUses, publicUses } from '../../results/documents/text-uses.js'
import type { HealFacts } from './heal-result.js'
import type { HealTexts } from './heal-texts.js'

type Known = Pick<Figures, 'perplexity' | 'standardError'>

/** The whole model's figures from the plan of a pruned one; undefined unless they are of the same texts and length. */
export function recallWhole({ heldOut }: HealTexts, plan: Plan | undefined, maxLength: number): Known | undefined {
  const measured = heldOut.isMeasured ? plan?.texts?.measured : undefined
  const perplexity = measured?.perplexity.whole ?? null
  if (measured?.maxLength !== maxLength || perplexity === null) return undefined
  return { perplexity, standardError: measured.standardError.whole ?? null }
}

/** The plan of a healed model: that of the pruned one, with the texts that it was trained and measured on. */
export function planHealed(
  plan: Plan,
  { training, heldOut }: HealTexts,
  { settings: { maxLength }, perplexity, standardError }: HealFacts,
): Plan {
  const before = heldOut.isMeasured ? plan.texts?.measured : undefined
  const texts = joinUses(plan.texts, {
    trained: [training.record],
    measured: {
      ...heldOut.record,
      maxLength,
      perplexity: { ...before?.perplexity, ...nameForms(perplexity) },
      standardError: { ...before?.standardError, ...nameForms(standardError) },
    },
  })
  return { ...plan, texts: publicUses(texts) }
}

function nameForms({ whole, after }: HealFacts['standardError']): Record<string, number | null> {
  return { ...(whole !== undefined && { whole }), healed: after }
}
