import type { Dataset } from '../data/dataset.js'
import type { SimilarityResult } from '../documents/similarity-result.js'
import { estimateMemory } from '../engine/estimate-memory.js'
import type { GramSource } from '../engine/gram-source.js'
import { openGramSource } from '../engine/open-gram-source.js'
import { RunMeter } from '../engine/run-meter.js'
import { InterruptedError, LayerpruneError } from '../errors.js'
import { formatQuantity, formatSize } from '../format-numbers.js'
import type { Block } from '../layers/block.js'
import type { Model } from '../model.js'
import { openInputs } from '../run/open-inputs.js'
import { MIN_TEXTS } from '../statistics/sequential.js'
import { assertSamePosition, DATASET_START, PlacedRows, type ReadPosition } from '../texts/placed-rows.js'
import { type PlacedWindow, windowPlacedTexts } from '../texts/placed-windows.js'
import { readAhead } from '../texts/read-ahead.js'
import { selectTokens } from '../texts/token-selection.js'
import { TokenizerThread } from '../texts/tokenizer-thread.js'
import {
  assessCertainty,
  buildPartialResult,
  buildResult,
  findBestSoFar,
  type RunDescription,
} from './build-result.js'
import { describeModel } from './describe-model.js'
import { addBatch, askTokens } from './measure-batch.js'
import { type Measurement, startMeasurement, windowFrom } from './measurement.js'
import { checkOptions, chooseSettings, chooseWindowBatches, type SimilarityOptions } from './options.js'
import { resumeMeasurement } from './resume.js'
import { measureRoofline } from './roofline.js'

/**
 * Measures how far the residual stream turns across every block of layers, and names the block of
 * `layersToSkip` layers across which it turns least (Gromov et al. 2024, arXiv 2403.17887).
 * @throws UsageError if an option is out of range
 * @throws InterruptedError if `signal` was aborted
 * @throws LayerpruneError if model or dataset cannot be used, or `resumeFrom` is of another run
 */
export async function measureSimilarity(options: SimilarityOptions): Promise<SimilarityResult> {
  checkOptions(options)
  const { datasetSize: limit, threads, device = 'cpu', maxMemoryBytes, signal, onNote } = options
  const opened = chooseOpening(options)
  const ending = new AbortController()
  const reading = AbortSignal.any([ending.signal, ...(signal ? [signal] : [])])
  const { dataset, model } = await openInputs({ ...options, signal: reading }, opened)
  const { layers } = model.config
  const settings = chooseSettings(options, model)
  const described = await describeModel(model, { signal, onNote })
  const run = { model: described, dataset: nameDataset(dataset), settings }
  const measurement = options.resumeFrom
    ? resumeMeasurement(options.resumeFrom, run)
    : startMeasurement(layers, settings.metrics)
  const { statistics, window } = measurement
  const total = expectedTexts(settings)
  let best: Block | undefined
  if (maxMemoryBytes === undefined && device === 'cpu') noteMemory(model, onNote)
  const meter = new RunMeter()
  const rows = new PlacedRows(dataset, { opened, from: window.start, shard: settings.shard })
  const tokenizer = new TokenizerThread(model.folder, signal)
  const windows = windowPlacedTexts(rows, window.start, tokenizer.encode, {
    ...settings,
    windowBatches: (texts) => chooseWindowBatches(settings, texts),
  })
  let source: GramSource | undefined
  let sure = false
  try {
    source = await openGramSource(model.decoder, model.config, {
      threads,
      device,
      maxMemoryBytes,
      maxLength: settings.maxLength,
      maxAsked: selectTokens(settings.maxLength, settings.tokens).length,
      meter,
      signal,
      onAdvance: (ahead) => options.onProgress?.({ texts: statistics.texts, ahead, total, best }),
      onNote,
    })
    await meter.time('tokenising', () => tokenizer.loaded)
    for await (const window of meter.timeEach('tokenising', readAhead(windows, ending))) {
      const batches = batchesLeft(window, measurement).map((texts) => askTokens(texts, settings.tokens))
      let next = 0
      for await (const gram of source.measureGrams(batches)) {
        await meter.time('distances', () => addBatch(batches[next++]!, gram, layers, measurement))
        measurement.window.batches++
        best = findBestSoFar(layers, settings.layersToSkip, statistics)
        options.onProgress?.({ texts: statistics.texts, total, best })
        await options.onBatch?.(() => buildPartialResult(run, measurement))
      }
      measurement.tokenless += window.tokenless
      measurement.window = windowFrom(window.end)
      sure = isSure(run, measurement)
      if (sure) break
    }
    signal?.throwIfAborted()
  } catch (cause) {
    if (statistics.texts > 0) options.onPartialResult?.(buildPartialResult(run, measurement))
    throw signal?.aborted ? new InterruptedError(statistics.texts, limit) : cause
  } finally {
    tokenizer.close()
    await source?.close()
  }
  if (!sure) measurement.window = windowFrom(rows.position)
  if (statistics.texts === 0) throw noTextError(run, measurement)
  if (options.onRoofline) options.onRoofline(await measureRoofline(model, meter, threads))
  return buildResult(run, measurement)
}

/**
 * Where to open the dataset: of a commit on the Hub a run that goes on need not download again what it has read;
 * files on disk are read again, to see that they are the same.
 */
function chooseOpening({ resumeFrom, shuffle, datasetSize = Infinity }: SimilarityOptions): ReadPosition {
  if (!resumeFrom?.dataset.revision || shuffle !== undefined) return DATASET_START
  const start = resumeFrom.progress?.window.start ?? DATASET_START
  return start.rows < datasetSize ? start : DATASET_START
}

/** Notes if a model is too large for the free memory: the system may then kill the run without giving a reason. */
function noteMemory({ decoder, config }: Model, onNote: SimilarityOptions['onNote']): void {
  const { totalBytes } = estimateMemory(decoder, config)
  // Node before 20.13 does not know
  const freeBytes = process.availableMemory?.()
  if (freeBytes === undefined || totalBytes <= freeBytes) return
  onNote?.(
    `the run takes about ${formatSize(totalBytes)} of memory, and ${formatSize(freeBytes)} are free: --max-memory keeps it within a limit`,
  )
}

function nameDataset({ id, config, split, revision, column }: Dataset): RunDescription['dataset'] {
  return { id, config, split, revision, column }
}

/** What an interrupted run has not measured of a window. */
function batchesLeft({ batches, end }: PlacedWindow, { window }: Measurement) {
  if (window.batches > 0) assertSamePosition(end, window.end)
  window.end = end
  return batches.slice(window.batches)
}

/** Texts that a run will measure; null if that is not known beforehand. */
function expectedTexts({ datasetSize, shard, until }: RunDescription['settings']): number | null {
  if (datasetSize === undefined || until !== undefined) return null
  return shard === undefined ? datasetSize : Math.ceil((datasetSize - shard.index + 1) / shard.count)
}

/** Whether a run that may stop early has measured enough. */
function isSure(run: RunDescription, measurement: Measurement): boolean {
  const { until } = run.settings
  if (until === undefined || measurement.statistics.texts < MIN_TEXTS) return false
  return assessCertainty(run, measurement, run.settings.layersToSkip)!.confidence >= until
}

function noTextError({ dataset, settings }: RunDescription, measurement: Measurement): LayerpruneError {
  const { tokenless, window } = measurement
  const { skipped } = window.start
  const { shard } = settings
  if (shard !== undefined && window.start.rows > 0) {
    return new LayerpruneError(
      `shard ${shard.index} of ${shard.count} holds no text to measure: ${dataset.id} has ${formatQuantity(window.start.rows, 'text')}`,
      { hint: 'use fewer shards' },
    )
  }
  return new LayerpruneError(
    `${dataset.id} holds no text to measure: ${formatQuantity(skipped.empty + tokenless, 'empty row')}, ${formatQuantity(skipped.notText, 'row')} without text in column ${dataset.column}`,
    { hint: 'check --dataset and --dataset-column' },
  )
}
