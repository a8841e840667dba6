import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { LayerpruneError } from '../../../base/errors.js'
import { formatQuantity } from '../../../base/format-numbers.js'
import { renamePhase } from '../../../base/progress.js'
import { writeFileAtomically } from '../../../base/write-files.js'
import { RUN_LIST, SIMILARITY_LIST } from '../../../jobs/library/option-lists.js'
import type { RunRate } from '../../../jobs/run/run-rate.js'
import type { SavedWork } from '../../../jobs/run/saved-work.js'
import { StateFile } from '../../../jobs/run/state-file.js'
import { measureSimilarity } from '../../../jobs/similarity/measure.js'
import type { SimilarityOptions } from '../../../jobs/similarity/options.js'
import { VERIFIED_DISTANCE_TEXTS } from '../../../jobs/strategies/verification-sizes.js'
import type { RunRecord } from '../../../results/documents/run-record.js'
import type { SimilarityResult } from '../../../results/documents/similarity-result.js'
import type { Verification } from '../../../results/documents/verification.js'
import { printNote, printWarning, setQuiet } from '../../terminal/output.js'
import { createProgress, type ProgressDisplay } from '../../terminal/progress.js'
import { formatRoofline } from '../../terminal/roofline.js'
import { adviseCheck, MEASURED_SHARE } from './check-advice.js'
import { type ClaimedFolder, withFolder } from './claim-output.js'
import { listenForInterruption } from './interruption.js'
import { prepareOutputFile } from './output-file.js'
import { pick } from './pick.js'
import { recordRun } from './record-run.js'
import { nameResult, type VerifiedResult, writeResultFiles } from './result-files.js'
import { asJson, describeKept, findState, runResumable } from './resumable.js'
import { reportDownload } from './run-hooks.js'
import { showResult } from './show-result.js'

export interface SimilarityFlags extends Pick<SimilarityOptions, (typeof SIMILARITY_LIST)['flags'][number]> {
  resume?: boolean
  force?: boolean
  verify?: number
  verifySize: number
  output: string
  plot?: string[]
  heatmap?: boolean
  json?: boolean
  quiet?: boolean
  verbose?: boolean
}

export async function run(flags: SimilarityFlags): Promise<void> {
  setQuiet(flags.quiet ?? false)
  const { output, shard, force } = flags
  const name = nameResult({ ...(shard && { shard }) })
  const run = recordRun('similarity', flags)
  await withFolder(output, { run, name, force }, (folder) => measureInto(folder, flags))
}

async function measureInto(folder: ClaimedFolder, given: SimilarityFlags): Promise<void> {
  const flags = leaveTextsToCheck(given)
  const { output, plot: plots = [] } = flags
  const { run } = folder
  const plotting = plots.length > 0 ? await import('../../../results/report/plot.js') : undefined
  for (const path of plots) {
    plotting!.assertPlotFile(path)
    await prepareOutputFile(path, [flags.dataset].flat())
  }
  const checkpoint = openCheckpoint(output, { shard: flags.shard, run })
  const resumeFrom = await findEarlierRun(checkpoint, flags.resume)
  const interruption = listenForInterruption()
  const { signal } = interruption
  const progress = createProgress({ quiet: flags.quiet ?? false })
  try {
    const { result: measured, rate } = await measure(flags, checkpoint, { resumeFrom, signal, progress })
    const result = { ...measured, run }
    if (flags.json) noteSkippedRows(result)
    let written = await writeResultFiles(folder, result)
    let verified: VerifiedResult = result
    if (flags.verify !== undefined) {
      // a run that is resumed during the check finds all distances there
      await checkpoint.save()
      verified = { ...result, verification: await checkBestBlocks(flags, result, { checkpoint, signal, progress }) }
      written = await writeResultFiles(folder, verified)
    }
    await checkpoint.remove()
    progress.stop()
    for (const path of plots) {
      await writeFileAtomically(path, await plotting!.drawPlot(result, path, { kind: 'heatmap' }))
    }
    await showResult(verified, flags, written, { options: given, advice: adviseCheck(result, flags, rate) })
    for (const path of plots) printNote(`wrote ${path}`)
  } finally {
    progress.stop()
    interruption.stop()
  }
}

/** Leaves texts to check the blocks on, other than those of the distances. */
function leaveTextsToCheck(flags: SimilarityFlags): SimilarityFlags {
  const { verify, datasetSize, until, verifySize } = flags
  if (verify === undefined || datasetSize !== undefined || until !== undefined) return flags
  printNote(
    `measuring distances on the first ${formatQuantity(VERIFIED_DISTANCE_TEXTS, 'text')}, and perplexity on the ${verifySize} after them; --dataset-size and --verify-size change that`,
  )
  return { ...flags, datasetSize: VERIFIED_DISTANCE_TEXTS }
}

/** The partial result of a run, from which it can be resumed however it ends. */
function openCheckpoint(folder: string, { shard, run }: Pick<SimilarityResult, 'shard' | 'run'>): Checkpoint {
  return new StateFile(join(folder, `${nameResult({ ...(shard && { shard }) })}.partial.json`), {
    encode: (partial) => `${JSON.stringify({ ...partial, run }, null, 2)}\n`,
    onFailure: printWarning,
  })
}

function findEarlierRun({ path }: Checkpoint, resume: boolean | undefined): Promise<SimilarityResult | undefined> {
  const read = async () => (await import('../../../results/documents/read-saved.js')).readSimilarityResult(path)
  return findState({ path, resume }, read, ({ dataset }) => {
    return `after the ${formatQuantity(dataset.samples, 'text')} of ${path}`
  })
}

type Checkpoint = StateFile<SimilarityResult>

interface Hooks {
  signal: AbortSignal
  progress: ProgressDisplay
}

/** Measures with a progress bar, and leaves a checkpoint however the run ends. */
async function measure(
  flags: SimilarityFlags,
  checkpoint: Checkpoint,
  { resumeFrom, signal, progress }: Hooks & { resumeFrom: SimilarityResult | undefined },
): Promise<{ result: SimilarityResult; rate: RunRate | null }> {
  const next = flags.verify && `perplexity of ${formatQuantity(flags.verify, 'block')}`
  let partial: SimilarityResult | undefined
  let rate: RunRate | null = null
  try {
    const result = await measureSimilarity({
      ...pick(flags, SIMILARITY_LIST.flags),
      resumeFrom,
      signal,
      onProgress: renamePhase(progress.update, 'distances', { next: next || undefined }),
      onDownload: reportDownload(progress.update),
      onBatch: (takePartial) => checkpoint.note(takePartial),
      onPartialResult: (result) => {
        partial = result
      },
      onRoofline: flags.verbose ? (roofline) => printNote(formatRoofline(roofline)) : undefined,
      onRate: (measured) => {
        rate = measured
      },
      onNote: printNote,
    })
    return { result, rate }
  } catch (error) {
    progress.stop()
    if (partial !== undefined) await sayWhatIsKept(checkpoint, partial)
    throw error
  }
}

async function sayWhatIsKept(checkpoint: Checkpoint, partial: SimilarityResult): Promise<void> {
  await checkpoint.note(() => partial)
  const isSaved = await checkpoint.save()
  const texts = ` (${formatQuantity(partial.dataset.samples, 'text')})`
  if (checkpoint.isWritten) printWarning(describeKept(checkpoint.path, isSaved, texts))
}

async function checkBestBlocks(
  flags: SimilarityFlags,
  result: SimilarityResult & { run: RunRecord },
  { checkpoint, signal, progress }: Hooks & { checkpoint: Checkpoint },
): Promise<Verification> {
  const { verifySize, output, resume } = flags
  const verify = flags.verify!
  const { id, samples, skipped, end } = result.dataset
  if (flags.datasetSize !== undefined && samples + skipped.empty < flags.datasetSize) {
    throw new LayerpruneError(
      `${id} holds ${formatQuantity(samples, 'text')}, and the distances are measured on all: no text is left to check the blocks`,
      { hint: `--dataset-size ${Math.max(1, Math.floor(MEASURED_SHARE * samples))}` },
    )
  }
  printNote(`checking the ${verify} nearest blocks by perplexity on other texts`)
  const { verifyBlocks } = await import('../../../jobs/strategies/verify-blocks.js')
  const path = join(output, `${nameResult(result)}.verify.partial.json`)
  const checking = runResumable<SavedWork, Verification>(
    { path, form: asJson(result.run), resume: resume && existsSync(path) },
    (resuming) =>
      verifyBlocks({
        ...pick(flags, RUN_LIST.flags),
        ...resuming,
        signal,
        onProgress: progress.update,
        distances: result.distances,
        layersToSkip: result.layersToSkip,
        verify,
        verifySize,
        datasetSkip: end!,
      }),
  )
  return checking.catch((error: unknown) => {
    if (checkpoint.isWritten) printWarning(describeKept(checkpoint.path, true, ` (${formatQuantity(samples, 'text')})`))
    throw error
  })
}

function noteSkippedRows({ dataset }: SimilarityResult): void {
  const { empty, notText } = dataset.skipped
  if (empty + notText > 0)
    printNote(`skipped ${formatQuantity(empty + notText, 'row')}: ${empty} empty, ${notText} without text`)
}
