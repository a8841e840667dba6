import { LayerpruneError } from '../../base/errors.js'
import type { AskedBatch } from '../../engine/sessions/gram-source.js'
import { NON_FINITE_HINT } from '../../engine/sessions/non-finite.js'
import type { Metric } from '../../results/documents/metrics.js'
import { selectTokens, type TokenSelection } from '../../texts/tokens/token-selection.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import { addDistances, countBlocks, UndirectedStateError } from './distances.js'
import type { Measurement } from './measurement.js'

/** A batch of texts and the tokens of each that are compared. */
export function askTokens(texts: EncodedText[], tokens: TokenSelection): AskedBatch {
  return { texts, asked: texts.map(({ ids }) => selectTokens(ids.length, tokens)) }
}

/**
 * Adds the distances of a batch to a measurement.
 * @param gram inner products of the states at the asked tokens, [tokens, layers + 1, layers + 1]
 * @throws LayerpruneError if a state has no direction
 */
export function addBatch(
  { texts, asked }: AskedBatch,
  gram: Float64Array,
  layers: number,
  measurement: Measurement,
): void {
  const { metrics } = measurement
  const size = (layers + 1) ** 2
  let offset = 0
  for (const [index, text] of texts.entries()) {
    const sums = new Float64Array(metrics.length * countBlocks(layers))
    for (const token of asked[index]!) {
      addToken(gram.subarray(offset, offset + size), layers, metrics, sums, { text, token })
      offset += size
    }
    measurement.statistics.addText(sums, asked[index]!.length)
    measurement.tokens += text.ids.length
  }
}

function addToken(
  gram: Float64Array,
  layers: number,
  metrics: readonly Metric[],
  sums: Float64Array,
  { text, token }: { text: EncodedText; token: number },
): void {
  try {
    addDistances(gram, layers, metrics, sums)
  } catch (cause) {
    if (!(cause instanceof UndirectedStateError)) throw cause
    const { state, message } = cause
    const where = state === layers ? `the output of layer ${layers - 1}` : `the input of layer ${state}`
    throw new LayerpruneError(
      `${message} (${where}) for ${text.origin}, token ${token} of ${text.ids.length}: no angle can be measured`,
      { hint: NON_FINITE_HINT, cause },
    )
  }
}
