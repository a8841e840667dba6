import { formatCount, formatPerplexity, formatQuantity } from '../format-numbers.js'
import type { RepairReport } from '../repair/repair-report.js'

/** What a repair changed and gave, as a person reads it. */
export function formatRepaired({
  cuts,
  changed,
  evaluation,
  perplexity,
  standardError,
}: RepairReport): string {
  const rows = (['whole', 'cut', 'repaired'] as const).map((form) => {
    const [value, error] = [perplexity[form], standardError[form]]
    if (value === null) return `  ${form.padEnd(8)}  not finite`
    return `  ${form.padEnd(8)}  ${formatPerplexity(value).padStart(8)}${error === null ? '' : ` ± ${formatPerplexity(error)}`}`
  })
  return [
    ...cuts.map(
      ({ start, end, layer, heldOutShare }) =>
        `Repaired before ${start}:${end} in layer ${layer}: ${Math.round(100 * heldOutShare)} % of the squared error remains on held-out texts.`,
    ),
    `Changed: ${changed.flatMap(({ weight, bias }) => [weight, bias ?? []].flat()).join(', ')}.`,
    `Perplexity on ${formatQuantity(evaluation.texts, 'other text')} of ${evaluation.id} (${formatCount(evaluation.scoredTokens)} tokens):`,
    ...rows,
  ].join('\n')
}
