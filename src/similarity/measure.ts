import { openDataset } from '../data/dataset.js'
import { LayerpruneError, UsageError } from '../errors.js'
import { type Model, type ModelOptions, openModel } from '../model.js'
import { batchTexts, type EncodedText } from '../runtime/batches.js'
import type { Device } from '../runtime/device.js'
import { openStateSession, type Position, type StateSession } from '../runtime/session.js'
import { loadTokenizer } from '../runtime/tokenizer.js'
import { buildResult, type Measurement } from './build-result.js'
import { addAngularDistances, countBlocks, UndirectedStateError } from './distances.js'
import type { SimilarityResult, TokenSelection } from './result.js'
import { RunningMeans } from './statistics.js'

const DEFAULT_MAX_LENGTH = 1024
const DEFAULT_BATCH_SIZE = 8

export interface SimilarityOptions extends ModelOptions {
  /** Data files and folders. */
  dataset: string | string[]
  /** Column that holds the text; 'text' where left out. */
  column?: string | undefined
  /** Plain text files hold a document a line. */
  textLines?: boolean | undefined
  /** At most this many texts; all where left out. */
  datasetSize?: number | undefined
  /** Texts run at once; 8 where left out. */
  batchSize?: number | undefined
  /** Tokens read of each text, from its start; 1024 where left out, or what the model can take. */
  maxLength?: number | undefined
  /** Size n of the blocks that are compared, 1 to layers - 1. */
  layersToSkip: number
  /** 'last' where left out, as in the paper. */
  tokens?: TokenSelection | undefined
  /** Threads of ONNX Runtime; its own choice where left out. */
  threads?: number | undefined
  device?: Device | undefined
  /** Stops between two batches; what was measured so far is in the error. */
  signal?: AbortSignal | undefined
  onProgress?: ((progress: SimilarityProgress) => void) | undefined
}

export interface SimilarityProgress {
  /** Texts measured so far. */
  texts: number
  /** Texts asked for; null where the dataset's size is not known. */
  total: number | null
}

/** A run that ended early, with the means over the texts measured before that. */
export class PartialResultError extends LayerpruneError {
  override name = 'PartialResultError'
  override readonly exitCode: number
  /** The result so far, marked partial. */
  readonly partial: SimilarityResult

  constructor(cause: Error, partial: SimilarityResult, { interrupted }: { interrupted: boolean }) {
    super(interrupted ? `interrupted after ${partial.dataset.samples} texts` : cause.message, {
      hint: cause instanceof LayerpruneError ? cause.hint : undefined,
      cause,
    })
    this.exitCode = interrupted ? 130 : 1
    this.partial = partial
  }
}

/**
 * Measures how far the residual stream turns across every block of layers, and names the block of
 * `layersToSkip` layers across which it turns least (Gromov et al. 2024, arXiv 2403.17887).
 * @throws UsageError where an option is out of range
 * @throws PartialResultError where the run was aborted or failed after at least one batch
 * @throws LayerpruneError where model or dataset cannot be used
 */
export async function measureSimilarity(options: SimilarityOptions): Promise<SimilarityResult> {
  const {
    batchSize = DEFAULT_BATCH_SIZE,
    datasetSize,
    tokens = 'last',
    column = 'text',
    signal,
    onNote,
  } = options
  assertCount('layers to skip', options.layersToSkip)
  assertCount('batch size', batchSize)
  assertCount('dataset size', datasetSize)
  assertCount('threads', options.threads)
  assertCount('max length', options.maxLength)
  const paths = [options.dataset].flat()
  const dataset = await openDataset({
    paths,
    column,
    textLines: options.textLines,
    limit: datasetSize,
    signal,
  })
  const model = await openModel(options)
  const { layers } = model.config
  if (options.layersToSkip >= layers) {
    throw new UsageError(
      `layers to skip must be 1 to ${layers - 1} for a model of ${layers} layers, found ${options.layersToSkip}`,
    )
  }
  const maxLength = chooseMaxLength(options.maxLength, model, onNote)
  if (model.precision.sharesScaleInBatch && batchSize > 1) {
    onNote?.(`${model.file} quantises activations with one scale a batch, so each text runs alone`)
  }
  const encode = await loadTokenizer(model.folder)
  const session = await openStateSession(model.decoder, model.config, {
    threads: options.threads,
    device: options.device ?? 'cpu',
  })

  const measurement: Measurement = {
    means: new RunningMeans(countBlocks(layers)),
    tokens: 0,
    skipped: dataset.skipped,
    tokenless: 0,
  }
  const result = (partial: boolean) =>
    buildResult(model, { id: dataset.id, column }, measurement, {
      maxLength,
      batchSize,
      tokens,
      layersToSkip: options.layersToSkip,
      partial,
    })
  try {
    await measureTexts({
      session,
      batches: batchTexts(dataset.rows(), encode, {
        batchSize: model.precision.sharesScaleInBatch ? 1 : batchSize,
        maxLength,
        onEmpty: () => measurement.tokenless++,
      }),
      measurement,
      layers,
      tokens,
      signal,
      onBatch: () => options.onProgress?.({ texts: measurement.means.texts, total: datasetSize ?? null }),
    })
  } catch (cause) {
    if (measurement.means.texts === 0) throw cause
    throw new PartialResultError(cause as Error, result(true), { interrupted: signal?.aborted ?? false })
  } finally {
    await session.close()
  }
  if (measurement.means.texts === 0) {
    const { empty, notText } = dataset.skipped
    throw new LayerpruneError(
      `${dataset.id} holds no text to measure: ${empty + measurement.tokenless} rows empty, ${notText} without text in column ${column}`,
      { hint: 'check --dataset and --dataset-column' },
    )
  }
  return result(false)
}

async function measureTexts(run: {
  session: StateSession
  batches: AsyncIterable<EncodedText[]>
  measurement: Measurement
  layers: number
  tokens: TokenSelection
  signal: AbortSignal | undefined
  onBatch: () => void
}): Promise<void> {
  const size = (run.layers + 1) ** 2
  for await (const batch of run.batches) {
    run.signal?.throwIfAborted()
    const positions = batch.map(({ ids }, text) =>
      selectPositions(ids.length, run.tokens).map((token) => ({ text, token })),
    )
    const gram = await run.session.measureGram(batch, positions.flat())
    let offset = 0
    for (const [text, chosen] of positions.entries()) {
      const sums = new Float64Array(countBlocks(run.layers))
      for (const position of chosen) {
        addDistancesAt(gram.subarray(offset, offset + size), run.layers, sums, batch[text]!, position)
        offset += size
      }
      run.measurement.means.addText(sums, chosen.length)
      run.measurement.tokens += batch[text]!.ids.length
    }
    run.onBatch()
  }
  run.signal?.throwIfAborted()
}

function selectPositions(length: number, tokens: TokenSelection): number[] {
  return tokens === 'last' ? [length - 1] : Array.from({ length }, (_, token) => token)
}

function addDistancesAt(
  gram: Float64Array,
  layers: number,
  sums: Float64Array,
  text: EncodedText,
  { token }: Position,
): void {
  try {
    addAngularDistances(gram, layers, sums)
  } catch (cause) {
    if (!(cause instanceof UndirectedStateError)) throw cause
    const where =
      cause.state === layers ? `the output of layer ${layers - 1}` : `the input of layer ${cause.state}`
    throw new LayerpruneError(
      `${cause.message} (${where}) for ${text.origin}, token ${token} of ${text.ids.length}: no angle can be measured`,
      {
        hint: 'half-precision graphs can overflow: try --dtype fp32; or leave the text out',
        cause,
      },
    )
  }
}

function chooseMaxLength(
  asked: number | undefined,
  { config }: Model,
  onNote: ModelOptions['onNote'],
): number {
  const limit = config.maxPositions ?? Infinity
  if (asked !== undefined && asked > limit) {
    throw new UsageError(`max length ${asked} is over the ${limit} positions of the model`)
  }
  if (asked === undefined && DEFAULT_MAX_LENGTH > limit) {
    onNote?.(`texts are cut at ${limit} tokens, the positions of the model`)
  }
  return asked ?? Math.min(DEFAULT_MAX_LENGTH, limit)
}

function assertCount(name: string, value: number | undefined): void {
  if (value !== undefined && !(Number.isSafeInteger(value) && value > 0)) {
    throw new UsageError(`${name} must be a whole number of at least 1, found ${value}`)
  }
}
