import { formatDuration, formatQuantity } from '../../base/format-numbers.js'

/** Flags that check the nearest blocks by perplexity, and the time it takes. */
export interface CheckAdvice {
  /** Flags to add to the command that was run. */
  flags: string
  blocks: number
  texts: number
  /** Duration of the whole run; null if no rate was measured. */
  seconds: number | null
}

/** @param advice  undefined if the run cannot check its blocks itself */
export function formatCheckAdvice(advice: CheckAdvice | undefined): string {
  const opening = 'Not checked by perplexity, and the nearest block is often not the best to remove.'
  if (advice === undefined) return `${opening}\nlayerprune evaluate compares blocks by perplexity.`
  const { flags, blocks, texts, seconds } = advice
  const time = seconds === null ? '' : ` (about ${formatDuration(seconds)} in all)`
  const checked = blocks === 1 ? 'this block' : `the ${blocks} nearest`
  return `${opening}\nAdd ${flags} to check ${checked} on ${formatQuantity(texts, 'other text')}${time}.`
}
