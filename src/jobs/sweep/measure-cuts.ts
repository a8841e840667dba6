import { formatQuantity } from '../../base/format-numbers.js'
import { type OnProgress, renamePhase } from '../../base/progress.js'
import type { Block } from '../../model/layers/block.js'
import type { EvaluationResult } from '../../results/documents/evaluation-result.js'
import type { ChosenCut, CutPredictions } from '../../results/documents/sweep-result.js'
import { openMeasuringEvaluator } from '../evaluate/limited-evaluator.js'
import { evaluatePerplexity, type OpenEvaluator } from '../evaluate/perplexity.js'
import { openCalibration } from '../strategies/calibration.js'
import { openRepairingEvaluator } from '../strategies/repairing-evaluator.js'
import type { SweepSettings } from './options.js'
import { rememberTexts, type SweepProgress } from './progress.js'

/** Perplexity over the whole model's above which a cut is measured on the first texts alone. */
export const HOPELESS_RATIO = 4

/** The first texts are an eighth of all, and at least `LEAST_PROBED`. */
const PROBE_SHARE = 8
const LEAST_PROBED = 4
/** Standard errors by which a cut must be above the ratio. */
const MARGIN = 2

export interface Remember {
  progress: SweepProgress
  onMeasured: () => Promise<void>
}

/** Figures of a cut, and the number of texts behind them. */
export type MeasuredCut = CutPredictions & { texts: number }

/**
 * Measures cuts, and how fast the model is, whole and with each cut.
 * @returns figures of the whole model over all texts, of every cut, and tokens per second of the whole model and each cut
 */
export async function measureCuts(
  settings: SweepSettings,
  cuts: ChosenCut[],
  { progress, onMeasured }: Remember,
): Promise<{ evaluation: EvaluationResult; predictions: MeasuredCut[]; speeds: (number | null)[] }> {
  const all = [[], ...cuts.map(({ removed }) => removed)]
  const takenBytes = process.memoryUsage.rss()
  let speeds: (number | null)[] | undefined
  const open: OpenEvaluator = async (model, session) => {
    const limit = session.limit && { ...session.limit, takenBytes }
    const evaluator = await openMeasuringEvaluator(model, { ...session, limit })
    const remembering = rememberTexts(evaluator, progress.texts, 'cut', onMeasured)
    return {
      ...remembering,
      async close() {
        // all layers run when all cuts do, which is the first time
        speeds ??= all.map((blocks) => evaluator.tokensPerSecond(blocks))
        await remembering.close()
      },
    }
  }
  return { ...(await measureInTurn(settings, all.slice(1), open, 'perplexity')), speeds: speeds ?? [] }
}

/** Measures cuts repaired, on other texts than the repairs are fitted on: those that the layers were chosen on. */
export async function measureRepaired(
  settings: SweepSettings,
  cuts: ChosenCut[],
  { progress, onMeasured }: Remember,
): Promise<CutPredictions[]> {
  const { batches } = await openCalibration(settings)
  const open: OpenEvaluator = async (model, session) =>
    rememberTexts(await openRepairingEvaluator(model, batches, session), progress.texts, 'repaired', onMeasured)
  const { predictions } = await measureInTurn(
    settings,
    cuts.map(({ removed }) => removed),
    open,
    'perplexity, repaired',
  )
  return predictions.map(({ texts, ...figures }) => figures)
}

/** Measures all cuts on the first texts, and those that lost little on the others too; for the rest it extrapolates. */
async function measureInTurn(
  settings: SweepSettings,
  removed: Block[][],
  open: OpenEvaluator,
  phase: string,
): Promise<{ evaluation: EvaluationResult; predictions: MeasuredCut[] }> {
  const probeSize = Math.max(LEAST_PROBED, Math.ceil(settings.verifySize / PROBE_SHARE))
  const isProbed = !settings.full && probeSize < settings.verifySize
  // a shard of a sweep has a part of the cuts, and all texts
  const { shard: _, resumeFrom, onSaved, ...ofAllTexts } = settings
  const datasetSkip = (settings.datasetSkip ?? 0) + settings.datasetSize
  const measure = (candidates: Block[][], datasetSize: number, onProgress: OnProgress | undefined) =>
    evaluatePerplexity({ ...ofAllTexts, datasetSkip, datasetSize, candidates, onProgress }, open)
  const probing = renamePhase(settings.onProgress, 'perplexity', {
    as: `${phase}, first texts`,
    next: `all ${formatQuantity(settings.verifySize, 'text')}`,
  })
  const probe = isProbed ? await measure(removed, probeSize, probing) : undefined
  const isMeasured = removed.map((_, index) => probe === undefined || !isHopeless(probe.candidates[index]!))
  const measured = removed.filter((_, index) => isMeasured[index])
  const measuring = renamePhase(settings.onProgress, 'perplexity', { as: phase })
  const evaluation = await measure(measured, settings.verifySize, measuring)
  let next = 0
  const predictions = removed.map((_, index): MeasuredCut => {
    if (isMeasured[index]) {
      return { ...withoutBlocks(evaluation.candidates[next++]!), texts: evaluation.dataset.texts }
    }
    const figures = withoutBlocks(probe!.candidates[index]!)
    if (figures.perplexity === null) return { ...figures, texts: probe!.dataset.texts }
    const ratio = Math.exp(figures.excess.difference)
    return {
      ...figures,
      perplexity: evaluation.perplexity * ratio,
      standardError: scale(figures.excess.standardError, evaluation.perplexity * ratio),
      bitsPerByte: evaluation.bitsPerByte * (1 + figures.excess.difference / Math.log(evaluation.perplexity)),
      texts: probe!.dataset.texts,
    }
  })
  return { evaluation, predictions }
}

function isHopeless(candidate: EvaluationResult['candidates'][number]): boolean {
  if (candidate.perplexity === null) return true
  const { difference, standardError } = candidate.excess
  return difference - MARGIN * (standardError ?? Infinity) > Math.log(HOPELESS_RATIO)
}

function scale(error: number | null, factor: number): number | null {
  return error === null ? null : error * factor
}

function withoutBlocks({ removed, ...figures }: EvaluationResult['candidates'][number]): CutPredictions {
  return figures
}
