import type { ProgressOptions } from '../../base/progress.js'
import type { Continuation, ContinuationScores } from '../../engine/sessions/continuations.js'
import type { PlacedOptions } from '../../engine/sessions/session.js'
import type { MemoryLimit } from '../../engine/sessions/too-little-memory.js'
import type { Block } from '../../model/layers/block.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import type { OnAdvance } from './batch-work.js'

/** @param candidate  its place among those that were asked for */
export type OnScore<Score> = (candidate: number, score: Score) => Promise<void>

/** A model ready to score texts, with any of some blocks of layers removed. */
export interface Evaluator {
  /**
   * Runs a batch through the model with each candidate's blocks removed. Layers that candidates have in common
   * from the bottom up run once.
   * @param candidates blocks to remove, in any order; none for the whole model
   * @param onAdvance  called after each part of the work
   * @param onScore    called and awaited with what a candidate gave, if that is known before the others
   * @returns for each candidate and text, the negative log-likelihood of its tokens but the first, in nats; not a
   *   finite number if a value on the way was not
   */
  measure(
    batch: EncodedText[],
    candidates: Block[][],
    onAdvance?: OnAdvance,
    onScore?: OnScore<Float64Array>,
  ): Promise<Float64Array[]>
  /** As `measure`, with a comparison of predictions to the whole model's; returns the whole model's results first. */
  compare(batch: EncodedText[], candidates: Block[][], onAdvance?: OnAdvance): Promise<Compared[]>
  /** Runs a batch as `measure`; returns for each candidate the scores of what may follow parts of its texts. */
  scoreContinuations(
    batch: EncodedText[],
    continuations: Continuation[],
    candidates: Block[][],
    onAdvance?: OnAdvance,
    onScore?: OnScore<ContinuationScores>,
  ): Promise<ContinuationScores[]>
  close(): Promise<void>
}

export interface TimedEvaluator extends Evaluator {
  /**
   * Tokens per second of a pass through the layers that remain without some blocks, by the mean time that each took so
   * far; embedding and head are not counted. Null if one of them did not run.
   */
  tokensPerSecond(removed: Block[]): number | null
}

/** A model's predictions of the texts of a batch; values are not finite if an intermediate one was not. */
export interface Compared {
  /** For each text, the negative log-likelihood of its tokens but the first, in nats. */
  nats: Float64Array
  /** For each text, the sum over the same tokens of KL(whole || model), in nats. */
  divergences: Float64Array
  /** For each text, the number of them at which both models have the same most probable token. */
  agreements: Float64Array
}

export interface EvaluatorOptions extends PlacedOptions, ProgressOptions {
  /** Blocks that candidates may remove; any if omitted. */
  blocks?: Block[] | undefined
  /** Memory limit of the process; the model is then loaded layer by layer. */
  limit?: MemoryLimit | undefined
  signal?: AbortSignal | undefined
  onNote?: ((message: string) => void) | undefined
}
