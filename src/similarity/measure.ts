import { openDataset } from '../data/dataset.js'
import { InterruptedError, LayerpruneError } from '../errors.js'
import { openModel } from '../model.js'
import { batchTexts, type EncodedText } from '../runtime/batches.js'
import { openStateSession, type StateSession } from '../runtime/session.js'
import { loadTokenizer } from '../runtime/tokenizer.js'
import { buildResult, type Measurement } from './build-result.js'
import { addAngularDistances, countBlocks, UndirectedStateError } from './distances.js'
import { checkOptions, chooseSettings, type SimilarityOptions } from './options.js'
import type { SimilarityResult, TokenSelection } from './result.js'
import { RunningMeans } from './statistics.js'

/**
 * Measures how far the residual stream turns across every block of layers, and names the block of
 * `layersToSkip` layers across which it turns least (Gromov et al. 2024, arXiv 2403.17887).
 * @throws UsageError where an option is out of range
 * @throws InterruptedError where `signal` was aborted
 * @throws LayerpruneError where model or dataset cannot be used
 */
export async function measureSimilarity(options: SimilarityOptions): Promise<SimilarityResult> {
  checkOptions(options)
  const { column = 'text', textLines, datasetSize: limit, threads, device = 'cpu', signal } = options
  const dataset = await openDataset({ paths: [options.dataset].flat(), column, textLines, limit, signal })
  const model = await openModel(options)
  const settings = chooseSettings(options, model)
  const encode = await loadTokenizer(model.folder)
  const session = await openStateSession(model.decoder, model.config, { threads, device })

  const { layers } = model.config
  const measurement: Measurement = {
    means: new RunningMeans(countBlocks(layers)),
    tokens: 0,
    skipped: dataset.skipped,
    tokenless: 0,
  }
  const result = () => buildResult(model, { id: dataset.id, column }, measurement, settings)
  const { means } = measurement
  try {
    const onEmpty = () => measurement.tokenless++
    for await (const batch of batchTexts(dataset.rows(), encode, { ...settings, onEmpty })) {
      signal?.throwIfAborted()
      await measureBatch(batch, session, layers, settings.tokens, measurement)
      options.onProgress?.({ texts: means.texts, total: limit ?? null })
    }
    signal?.throwIfAborted()
  } catch (cause) {
    if (means.texts > 0) options.onPartialResult?.({ ...result(), partial: true })
    throw signal?.aborted ? new InterruptedError(means.texts, limit) : cause
  } finally {
    await session.close()
  }
  if (means.texts === 0) {
    const { empty, notText } = dataset.skipped
    throw new LayerpruneError(
      `${dataset.id} holds no text to measure: ${empty + measurement.tokenless} rows empty, ${notText} without text in column ${column}`,
      { hint: 'check --dataset and --dataset-column' },
    )
  }
  return result()
}

async function measureBatch(
  batch: EncodedText[],
  session: StateSession,
  layers: number,
  tokens: TokenSelection,
  measurement: Measurement,
): Promise<void> {
  const positions = batch.map(({ ids }, text) =>
    selectTokens(ids.length, tokens).map((token) => ({ text, token })),
  )
  const gram = await session.measureGram(batch, positions.flat())
  const size = (layers + 1) ** 2
  let offset = 0
  for (const [index, text] of batch.entries()) {
    const sums = new Float64Array(countBlocks(layers))
    for (const { token } of positions[index]!) {
      addDistances(gram.subarray(offset, offset + size), layers, sums, text, token)
      offset += size
    }
    measurement.means.addText(sums, positions[index]!.length)
    measurement.tokens += text.ids.length
  }
}

function selectTokens(length: number, tokens: TokenSelection): number[] {
  return tokens === 'last' ? [length - 1] : Array.from({ length }, (_, token) => token)
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
