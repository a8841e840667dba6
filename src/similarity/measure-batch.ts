import { LayerpruneError } from '../errors.js'
import type { EncodedText } from '../runtime/batches.js'
import type { StateSession } from '../runtime/session.js'
import { addAngularDistances, countBlocks, UndirectedStateError } from './distances.js'
import type { Measurement } from './measurement.js'
import { selectTokens, type TokenSelection } from './token-selection.js'

/**
 * Runs a batch of texts through the model and adds their distances to a measurement.
 * @throws LayerpruneError where a state has no direction
 */
export async function measureBatch(
  batch: EncodedText[],
  session: StateSession,
  layers: number,
  tokens: TokenSelection,
  measurement: Measurement,
): Promise<void> {
  const asked = batch.map(({ ids }) => selectTokens(ids.length, tokens))
  const gram = await session.measureGram(batch, asked)
  const size = (layers + 1) ** 2
  let offset = 0
  for (const [index, text] of batch.entries()) {
    const sums = new Float64Array(countBlocks(layers))
    for (const token of asked[index]!) {
      addDistances(gram.subarray(offset, offset + size), layers, sums, text, token)
      offset += size
    }
    measurement.statistics.addText(sums, asked[index]!.length)
    measurement.tokens += text.ids.length
  }
}

function addDistances(
  gram: Float64Array,
  layers: number,
  sums: Float64Array,
  text: EncodedText,
  token: number,
): void {
  try {
    addAngularDistances(gram, layers, sums)
  } catch (cause) {
    if (!(cause instanceof UndirectedStateError)) throw cause
    const { state, message } = cause
    const where = state === layers ? `the output of layer ${layers - 1}` : `the input of layer ${state}`
    throw new LayerpruneError(
      `${message} (${where}) for ${text.origin}, token ${token} of ${text.ids.length}: no angle can be measured`,
      { hint: 'half precision can overflow: try --dtype fp32; otherwise the weights may be damaged', cause },
    )
  }
}
