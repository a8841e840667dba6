import { InterruptedError, LayerpruneError } from '../../base/errors.js'
import { formatQuantity, formatSize } from '../../base/format-numbers.js'
import { nameOption } from '../../base/name-option.js'
import { MIN_TEXTS } from '../../base/statistics/sequential.js'
import type { Model } from '../../engine/model.js'
import { estimateMemory } from '../../engine/sessions/estimate-memory.js'
import type { GramSource } from '../../engine/sessions/gram-source.js'
import { openGramSource } from '../../engine/sessions/open-gram-source.js'
import { RunMeter } from '../../engine/sessions/run-meter.js'
import type { Block } from '../../model/layers/block.js'
import { nameLayers } from '../../model/layers/names.js'
import type { SimilarityResult } from '../../results/documents/similarity-result.js'
import type { TextTotal } from '../../texts/data/count-texts.js'
import type { Dataset } from '../../texts/data/dataset.js'
import { takeHashes } from '../../texts/data/text-hashes.js'
import {
  assertSamePosition,
  DATASET_START,
  type PlacedRow,
  PlacedRows,
  type ReadPosition,
} from '../../texts/tokens/placed-rows.js'
import { readAhead } from '../../texts/tokens/read-ahead.js'
import { selectTokens } from '../../texts/tokens/token-selection.js'
import { TokenizerProcess } from '../../texts/tokens/tokenizer-process.js'
import { type TextWindow, windowTexts } from '../../texts/tokens/windows.js'
import { describeModel } from '../run/describe-model.js'
import { openInputs } from '../run/open-inputs.js'
import { describeRate } from '../run/run-rate.js'
import { TextWork } from '../run/text-work.js'
import { assessCertainty, buildPartialResult, buildResult, findBestSoFar, type RunDescription } from './build-result.js'
import { addBatch, askTokens } from './measure-batch.js'
import { type Measurement, startMeasurement, windowFrom } from './measurement.js'
import { checkOptions, chooseSettings, chooseWindowBatches, type SimilarityOptions } from './options.js'
import { resumeMeasurement } from './resume.js'
import { measureRoofline } from './roofline.js'

/**
 * Measures how far every block of layers rotates the residual stream, and names the block of `layersToSkip` layers
 * that rotates it least (Gromov et al. 2024, arXiv 2403.17887).
 * @throws UsageError if an option is out of range
 * @throws InterruptedError if `signal` was aborted
 * @throws LayerpruneError if model or dataset cannot be used, or `resumeFrom` is of another run
 */
export async function measureSimilarity(options: SimilarityOptions): Promise<SimilarityResult> {
  checkOptions(options)
  const { resumeFrom, signal, maxMemory } = options
  const opened = chooseOpening(options)
  const ending = new AbortController()
  const reading = AbortSignal.any([ending.signal, ...(signal ? [signal] : [])])
  const reader = { ...options, signal: reading, checksInRun: maxMemory !== undefined }
  const { dataset, model } = await openInputs(reader, opened)
  const run = await describeRun(options, dataset, model)
  const { metrics, shard } = run.settings
  const measurement = resumeFrom ? resumeMeasurement(resumeFrom, run) : startMeasurement(model.config.layers, metrics)
  noteMemory(options, model)
  const rows = new PlacedRows(dataset, { opened, from: measurement.window.start, shard })
  const { texts: measured } = measurement.statistics
  const job: Job = {
    ...{ options, run, model, measurement, best: undefined },
    // a Hub dataset is opened after the texts that an earlier run read
    hashes: () => takeHashes(resumeFrom?.dataset.hashes ?? '', opened.rows) + dataset.read().hashes,
    meter: new RunMeter(),
    work: new TextWork({ texts: measured, tokens: measurement.tokens }),
    countTexts: () => expectTexts(run.settings, dataset, opened.rows),
  }
  try {
    await measureTexts(job, rows, ending)
  } catch (cause) {
    const { texts } = measurement.statistics
    if (texts > 0) options.onPartialResult?.(buildPartialResult(run, measurement, job.hashes()))
    throw signal?.aborted ? new InterruptedError(texts, options.datasetSize) : cause
  }
  if (measurement.statistics.texts === 0) throw noTextError(run, measurement)
  if (options.onRoofline) options.onRoofline(await measureRoofline(model, job.meter, options.threads))
  options.onRate?.(describeRate(model, job.meter))
  return buildResult(run, measurement, job.hashes())
}

interface Job {
  options: SimilarityOptions
  run: RunDescription
  model: Model
  measurement: Measurement
  meter: RunMeter
  work: TextWork
  /** Number of texts to measure; null while unknown. */
  countTexts: () => TextTotal | null
  /** Of the texts read so far, those of an earlier run first. */
  hashes: () => string
  /** The best block so far; undefined before the first batch. */
  best: Block | undefined
}

/** Measures the rows in windows: all of them, or until the best block is certain. */
async function measureTexts(job: Job, rows: PlacedRows, ending: AbortController): Promise<void> {
  const { options, run, model, measurement, meter } = job
  const { settings } = run
  const { signal } = options
  const tokenizer = new TokenizerProcess(model.tokenizer, signal)
  const { start } = measurement.window
  // windows depend only on where they start, so that a resumed run makes the same ones
  const windows = windowTexts(rows, tokenizer.encode, settings, (last) =>
    chooseWindowBatches(settings, (last?.end ?? start).rows),
  )
  // the first texts are tokenised while the model is loaded
  const ahead = readAhead(windows, ending)
  let source: GramSource | undefined
  let isSettled = false
  try {
    options.onProgress?.({ phase: 'loading the model', done: 0, total: null })
    source = await openSource(job)
    options.onProgress?.({ phase: 'reading texts', done: 0, total: null })
    await meter.time('tokenising', () => tokenizer.loaded)
    for await (const window of meter.timeEach('tokenising', ahead)) {
      await measureWindow(job, source, window)
      isSettled = isConfident(run, measurement)
      if (isSettled) break
    }
    signal?.throwIfAborted()
    if (!isSettled) measurement.window = windowFrom(rows.position)
  } finally {
    await ahead.return(undefined)
    tokenizer.close()
    await source?.close()
  }
}

function openSource(job: Job): Promise<GramSource> {
  const { options, run, model, meter } = job
  const { maxLength, tokens } = run.settings
  const { threads, device = 'cpu', maxMemory, signal, onNote } = options
  return openGramSource(model.decoder, model.config, {
    threads,
    device,
    maxMemory,
    maxLength,
    maxAsked: selectTokens(maxLength, tokens).length,
    meter,
    signal,
    onAdvance: (ahead) => reportProgress(job, ahead),
    onNote,
    unchecked: model.isChecked === false ? model : undefined,
  })
}

async function measureWindow(job: Job, source: GramSource, window: TextWindow<PlacedRow>): Promise<void> {
  const { options, run, measurement, meter } = job
  const { layersToSkip, tokens } = run.settings
  const { layers } = run.model
  const left = batchesLeft(window, measurement)
  job.work.addWindow(left)
  reportProgress(job)
  const batches = left.map((texts) => askTokens(texts, tokens))
  let next = 0
  for await (const gram of source.measureGrams(batches)) {
    const batch = batches[next++]!
    await meter.time('distances', () => addBatch(batch, gram, layers, measurement))
    options.onGram?.(batch, gram)
    measurement.window.batches++
    job.best = findBestSoFar(layers, layersToSkip, measurement.statistics)
    reportProgress(job)
    await options.onBatch?.(() => buildPartialResult(run, measurement, job.hashes()))
  }
  measurement.tokenless += window.tokenless
  measurement.window = windowFrom(window.last.end)
}

/** @param ahead  how many texts' work is done of those that are not measured yet */
function reportProgress({ options, run, measurement, work, countTexts, best }: Job, ahead = 0): void {
  const done = measurement.statistics.texts + ahead
  options.onProgress?.({
    ...work.describe('distances', done, countTexts()),
    isMost: run.settings.until !== undefined,
    detail: best && `best so far ${nameLayers(best)}`,
    best,
  })
}

async function describeRun(
  options: SimilarityOptions,
  { id, config, split, revision, shares, column }: Dataset,
  model: Model,
): Promise<RunDescription> {
  const settings = chooseSettings(options, model)
  const dataset = { id, config, split, revision, ...(shares && { shares }), column }
  return { model: await describeModel(model, options), dataset, settings }
}

/** Where to open the dataset: a resumed run skips what it read of a Hub commit, but rereads local files to check. */
function chooseOpening({ resumeFrom, shuffle, datasetSize = Infinity }: SimilarityOptions): ReadPosition {
  if (!resumeFrom?.dataset.revision || shuffle !== undefined) return DATASET_START
  const start = resumeFrom.progress?.window.start ?? DATASET_START
  return start.rows < datasetSize ? start : DATASET_START
}

/** Notes if a model is too large for the free memory: the system may then kill the run without giving a reason. */
function noteMemory({ maxMemory, device = 'cpu', onNote }: SimilarityOptions, { decoder, config }: Model): void {
  if (maxMemory !== undefined || device !== 'cpu') return
  const { totalBytes } = estimateMemory(decoder, config)
  // Node before 20.13 does not know
  const freeBytes = process.availableMemory?.()
  if (freeBytes === undefined || totalBytes <= freeBytes) return
  onNote?.(
    `the run takes about ${formatSize(totalBytes)} of memory, and ${formatSize(freeBytes)} are free: ${nameOption('maxMemory')} keeps it within a limit`,
  )
}

/** What an interrupted run has not measured of a window. */
function batchesLeft({ batches, last: { end } }: TextWindow<PlacedRow>, { window }: Measurement) {
  if (window.batches > 0) assertSamePosition(end, window.end)
  window.end = end
  return batches.slice(window.batches)
}

/** @param skipped  texts before the position at which the dataset was opened */
function expectTexts({ shard }: RunDescription['settings'], dataset: Dataset, skipped: number): TextTotal | null {
  const found = dataset.countTexts()
  if (found === null) return null
  const texts = skipped + found.texts
  return { ...found, texts: shard === undefined ? texts : Math.ceil((texts - shard.index + 1) / shard.count) }
}

/** Whether a run that may stop early has measured enough. */
function isConfident(run: RunDescription, measurement: Measurement): boolean {
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
    { hint: 'check `dataset` and `datasetColumn`' },
  )
}
