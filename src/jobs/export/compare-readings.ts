import { LayerpruneError } from '../../base/errors.js'
import { formatPerplexity } from '../../base/format-numbers.js'
import type { ExportCheck } from '../../results/documents/export-result.js'
import type { Reading } from './read-check-texts.js'

/** The largest factor between the perplexities of an exported model and its source that rounding to a type explains. */
const MOST_CHANGE: Record<string, number> = {
  ...{ fp32: 1.0005, fp16: 1.02, q8: 1.05, q4: 2, q4f16: 2 },
  ...{ F32: 1.0005, F16: 1.02, BF16: 1.05, Q8_0: 1.05, Q6_K: 1.2, Q5_K_M: 1.5, Q4_K_M: 2, Q4_0: 2, MXFP4: 2 },
}

/**
 * Compares what an exported model makes of the check's texts with what its source does.
 * @throws LayerpruneError if they differ by more than the type explains
 */
export function compareReadings(
  source: Reading,
  exported: Reading,
  { dtype, name }: { dtype: string; name: string },
): ExportCheck {
  const change = exported.perplexity / source.perplexity
  const most = MOST_CHANGE[dtype]!
  if (!(change < most && change > 1 / most)) {
    throw new LayerpruneError(
      `${name} does not compute what the model does: its perplexity on the check's texts is ${formatPerplexity(exported.perplexity)}, the model's is ${formatPerplexity(source.perplexity)}`,
      {
        hint: /^f(p)?32$/i.test(dtype)
          ? 'please report this: the export is wrong'
          : 'the weights lose too much in this type: export another `dtype`',
      },
    )
  }
  const all = source.continuations.reduce((sum, ids) => sum + ids.length, 0)
  const same = source.continuations.reduce((sum, ids, text) => {
    const other = exported.continuations[text]!
    const first = ids.findIndex((id, index) => id !== other[index])
    return sum + (first < 0 ? ids.length : first)
  }, 0)
  return { perplexity: { source: source.perplexity, exported: exported.perplexity }, tokens: { same, all } }
}
