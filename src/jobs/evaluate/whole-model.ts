import { LayerpruneError } from '../../base/errors.js'
import { NON_FINITE_HINT } from '../../engine/sessions/non-finite.js'
import type { EncodedText } from '../../texts/tokens/windows.js'

/**
 * A cut may overflow, but against a whole model that does nothing can be measured.
 * @param nats negative log-likelihood of the text by the whole model
 * @throws LayerpruneError if it is not a finite number
 */
export function assertWholeFinite(nats: number, { origin }: EncodedText): void {
  if (Number.isFinite(nats)) return
  throw new LayerpruneError(
    `the whole model's log-likelihood of ${origin} is ${-nats}: no perplexity can be measured`,
    { hint: NON_FINITE_HINT },
  )
}
