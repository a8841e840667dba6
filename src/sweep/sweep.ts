import type { EvaluationResult } from '../documents/evaluation-result.js'
import { SCHEMAS } from '../documents/schemas.js'
import type {
  ChosenCut,
  CutPredictions,
  Extent,
  SweepCandidate,
  SweepLimits,
  SweepResult,
} from '../documents/sweep-result.js'
import { openEvaluator } from '../evaluate/evaluator.js'
import { evaluatePerplexity } from '../evaluate/perplexity.js'
import { formatList, formatQuantity } from '../format-numbers.js'
import type { Block } from '../layers/block.js'
import { locateModel, openModel } from '../model.js'
import { describeModel } from '../similarity/describe-model.js'
import { openCalibration } from '../strategies/calibration.js'
import { openRepairingEvaluator } from '../strategies/repairing-evaluator.js'
import { VERSION } from '../version.js'
import { chooseCuts } from './choose-cuts.js'
import { measureSizes } from './extents.js'
import { chooseSweepSettings, type SweepOptions, type SweepSettings } from './options.js'
import { assertSameSweep, digest, rememberBatches, type SweepProgress } from './progress.js'
import { recommendCut } from './recommend.js'

/**
 * Measures what is lost and gained without layers, for every number of them: strategies choose the layers on the first
 * texts, and what the model predicts without them is measured on those that follow. Cuts share the layers below the
 * first that one of them removes.
 * @throws UsageError if an option is out of range or does not fit the model
 * @throws InterruptedError if `signal` was aborted
 * @throws LayerpruneError if model or dataset cannot be used, or `resumeFrom` is of another sweep
 */
export async function sweepCuts(options: SweepOptions): Promise<SweepResult> {
  const { config } = await locateModel({ ...options, onNote: undefined })
  const settings = chooseSweepSettings(options, config.layers)
  const stored = await openModel({ ...settings, onNote: undefined })
  const progress = await openProgress(settings, (await describeModel(stored, settings)).fingerprint)
  const cuts = takeShard(await chooseOrRecall(settings, config.layers, progress), settings)
  const sizes = await measureSizes(stored, [[], ...cuts.map(({ removed }) => removed)])
  settings.onNote?.(describeWork(cuts, settings))
  const { evaluation, speeds } = await measureCuts(settings, cuts, progress)
  const repaired = settings.repair ? await measureRepaired(settings, cuts, progress) : undefined
  const extents = sizes.map((size, index): Extent => ({ ...size, tokensPerSecond: speeds[index] ?? null }))
  const candidates = cuts.map(
    (cut, index): SweepCandidate => ({
      ...cut,
      ...extents[index + 1]!,
      ...withoutBlocks(evaluation.candidates[index]!),
      ...(repaired && { repaired: withoutBlocks(repaired.candidates[index]!) }),
    }),
  )
  return assemble(settings, evaluation, extents[0]!, candidates)
}

function assemble(
  { strategies, sizes, shard, maxPerplexityRatio, maxSize }: SweepSettings,
  evaluation: EvaluationResult,
  whole: Extent,
  candidates: SweepCandidate[],
): SweepResult {
  const { model, dataset, settings, perplexity, standardError, bitsPerByte } = evaluation
  const limits: SweepLimits = {
    ...(maxPerplexityRatio === undefined ? {} : { maxPerplexityRatio }),
    ...(maxSize === undefined ? {} : { maxSize }),
  }
  return {
    schema: SCHEMAS.sweep,
    model,
    dataset,
    settings,
    strategies,
    sizes,
    whole: { perplexity, standardError, bitsPerByte, ...whole },
    candidates,
    limits,
    recommended: recommendCut(candidates, perplexity, limits),
    ...(shard === undefined ? {} : { shard }),
    layerpruneVersion: VERSION,
  }
}

/** @throws LayerpruneError if what is resumed is of another sweep */
async function openProgress(settings: SweepSettings, fingerprint: string): Promise<SweepProgress> {
  const { resumeFrom, onSaved: _, onProgress, onNote, onDownload, signal, ...named } = settings
  const identity = digest({ fingerprint, ...named })
  if (resumeFrom === undefined) return { identity, batches: {} }
  assertSameSweep(resumeFrom, identity)
  return resumeFrom
}

async function chooseOrRecall(
  settings: SweepSettings,
  layers: number,
  progress: SweepProgress,
): Promise<ChosenCut[]> {
  if (progress.chosen !== undefined) return progress.chosen
  settings.onNote?.(
    `choosing layers by ${formatList(settings.strategies)} on the first ${formatQuantity(settings.datasetSize, 'text')}`,
  )
  progress.chosen = await chooseCuts(settings, layers)
  await settings.onSaved?.(progress)
  return progress.chosen
}

function takeShard(cuts: ChosenCut[], { shard }: SweepSettings): ChosenCut[] {
  if (shard === undefined) return cuts
  return cuts.filter((_, index) => index % shard.count === shard.index - 1)
}

function describeWork(cuts: ChosenCut[], { datasetSize, verifySize, repair }: SweepSettings): string {
  const how = repair ? ', as they are and repaired,' : ''
  return `measuring ${formatQuantity(cuts.length, 'cut')}${how} on up to ${formatQuantity(verifySize, 'text')} after the first ${datasetSize}`
}

/** @returns what every cut gives, and the speed of the whole model and of each cut */
async function measureCuts(settings: SweepSettings, cuts: ChosenCut[], progress: SweepProgress) {
  const removed = cuts.map((cut) => cut.removed)
  let speeds: (number | null)[] = []
  const evaluation = await evaluateFrom(settings, removed, async (model, session) => {
    const evaluator = await openEvaluator(model, session)
    const remembered = rememberBatches(evaluator, progress.batches, 'cut', () => save(settings, progress))
    return {
      ...remembered,
      async close() {
        speeds = [[], ...removed].map((blocks) => evaluator.tokensPerSecond(blocks))
        await remembered.close()
      },
    }
  })
  return { evaluation, speeds }
}

/** Repairs are fitted on the texts that the layers were chosen on. */
async function measureRepaired(settings: SweepSettings, cuts: ChosenCut[], progress: SweepProgress) {
  const { onProgress: _, ...quietly } = settings
  const { batches } = await openCalibration(quietly)
  return evaluateFrom(
    settings,
    cuts.map((cut) => cut.removed),
    async (model, session) => {
      const evaluator = await openRepairingEvaluator(model, batches, session)
      return rememberBatches(evaluator, progress.batches, 'repaired', () => save(settings, progress))
    },
  )
}

function evaluateFrom(
  settings: SweepSettings,
  candidates: Block[][],
  open: Parameters<typeof evaluatePerplexity>[1],
): Promise<EvaluationResult> {
  const { datasetSize: datasetSkip, verifySize: datasetSize } = settings
  return evaluatePerplexity({ ...settings, datasetSkip, datasetSize, candidates }, open)
}

async function save({ onSaved }: SweepSettings, progress: SweepProgress): Promise<void> {
  await onSaved?.(progress)
}

function withoutBlocks({ removed, ...figures }: EvaluationResult['candidates'][number]): CutPredictions {
  return figures
}
