import type { Figures } from '../documents/evaluation-result.js'
import type { SessionOptions } from '../engine/session.js'
import type { Block } from '../layers/block.js'
import type { Model } from '../model.js'
import type { Progress, ProgressOptions } from '../progress.js'
import { TextWork } from '../run/text-work.js'
import type { ReadText } from '../texts/windows.js'
import { openEvaluator } from './evaluator.js'
import { Tally } from './tally.js'
import { assertWholeFinite } from './whole-model.js'

export interface MeasureOptions extends SessionOptions, ProgressOptions {
  batches: ReadText[][]
  /** Bytes in UTF-8 that the scored tokens of a text stand for. */
  countBytes: (text: ReadText) => Promise<number>
  signal?: AbortSignal | undefined
  /** How progress names the work, and what follows it. */
  phase: Pick<Progress, 'phase' | 'next'>
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
  const tally = new Tally(candidates.length)
  const work = new TextWork()
  work.addWindow(batches)
  const total = batches.flat().length
  let done = 0
  const report = (texts: number) =>
    onProgress?.({ ...work.describe(phase.phase, texts, { texts: total, isEstimate: false }), ...phase })
  try {
    report(0)
    for (const batch of batches) {
      const scores = await evaluator.measure(batch, candidates, ({ share }) =>
        report(done + share * batch.length),
      )
      for (const [index, text] of batch.entries()) {
        const nats = Float64Array.from(scores, (row) => row[index]!)
        if (candidates[0]!.length === 0) assertWholeFinite(nats[0]!, text)
        tally.addText(nats, text.ids.length - 1, await countBytes(text))
      }
      done += batch.length
      report(done)
    }
  } finally {
    await evaluator.close()
  }
  return candidates.map((_, index) => (tally.hasFailed(index) ? undefined : tally.figures(index)))
}
