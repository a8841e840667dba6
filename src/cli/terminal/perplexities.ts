import { formatPerplexity } from '../../base/format-numbers.js'

/** Perplexities of forms of a model, one below the other; null if not finite, or if an error is not known. */
export function formatForms<Form extends string>(
  forms: readonly Form[],
  perplexity: { [F in Form]?: number | null },
  standardError: { [F in Form]?: number | null },
): string {
  const width = Math.max(...forms.map((form) => form.length))
  const rows = forms.map((form) => {
    const [value = null, error = null] = [perplexity[form], standardError[form]]
    const name = `  ${form.padEnd(width)}`
    if (value === null) return `${name}  not finite`
    return `${name}  ${formatPerplexity(value).padStart(8)}${error === null ? '' : ` ± ${formatPerplexity(error)}`}`
  })
  return rows.join('\n')
}
