import type { Progress, ProgressOptions } from '../../base/progress.js'
import type { Model } from '../../engine/model.js'
import type { PlacedOptions } from '../../engine/sessions/session.js'
import type { Block } from '../../model/layers/block.js'
import type { Figures } from '../../results/documents/evaluation-result.js'
import type { ReadText } from '../../texts/tokens/windows.js'
import { TextWork } from '../run/text-work.js'
import type { OnAdvance } from './batch-work.js'
import { openEvaluator } from './open-evaluator.js'
import { Tally } from './tally.js'
import { assertWholeFinite } from './whole-model.js'

/** Texts to measure, and how progress is reported. */
export interface TallyOptions extends ProgressOptions {
  batches: ReadText[][]
  /** Length in UTF-8 bytes of a text's scored tokens. */
  countBytes: (text: ReadText) => Promise<number>
  /** How progress names the work, and what follows it. */
  phase: Pick<Progress, 'phase' | 'next'>
}

export interface MeasureOptions extends PlacedOptions, TallyOptions {
  signal?: AbortSignal | undefined
}

/**
 * Figures of a model with each candidate's blocks removed, over all texts; undefined if they are not finite.
 * @param candidates none removed is the whole model; if it is among them, it is the first
 * @throws LayerpruneError if the whole model's likelihood of a text is not finite, or the model has no head
 */
export async function measureTexts(
  model: Model,
  candidates: Block[][],
  { batches, countBytes, phase, onProgress, ...options }: MeasureOptions,
): Promise<(Figures | undefined)[]> {
  const evaluator = await openEvaluator(model, { ...options, onProgress, blocks: candidates.flat() })
  try {
    return await tallyTexts(
      {
        candidates: candidates.length,
        hasWhole: candidates[0]!.length === 0,
        measure: (batch, onAdvance) => evaluator.measure(batch, candidates, onAdvance),
      },
      { batches, countBytes, phase, onProgress },
    )
  } finally {
    await evaluator.close()
  }
}

/** Models that texts are measured with. */
export interface Measured {
  candidates: number
  /** Whether the first of them is the whole model. */
  hasWhole: boolean
  /** For each candidate and text, the negative log-likelihood of its tokens but the first, in nats. */
  measure: (batch: ReadText[], onAdvance: OnAdvance) => Promise<Float64Array[]>
}

/**
 * Figures of each candidate over all texts; undefined if they are not finite.
 * @throws LayerpruneError if the whole model's likelihood of a text is not finite
 */
export async function tallyTexts(
  { candidates, hasWhole, measure }: Measured,
  { batches, countBytes, phase, onProgress }: TallyOptions,
): Promise<(Figures | undefined)[]> {
  const tally = new Tally(candidates)
  const work = new TextWork()
  work.addWindow(batches)
  const total = batches.flat().length
  let done = 0
  const report = (texts: number) =>
    onProgress?.({ ...work.describe(phase.phase, texts, { texts: total, isEstimate: false }), ...phase })
  report(0)
  for (const batch of batches) {
    const scores = await measure(batch, ({ share }) => report(done + share * batch.length))
    for (const [index, text] of batch.entries()) {
      const nats = Float64Array.from(scores, (row) => row[index]!)
      if (hasWhole) assertWholeFinite(nats[0]!, text)
      tally.addText(nats, text.ids.length - 1, await countBytes(text))
    }
    done += batch.length
    report(done)
  }
  return Array.from({ length: candidates }, (_, index) => (tally.hasFailed(index) ? undefined : tally.figures(index)))
}
