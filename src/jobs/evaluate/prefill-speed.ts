import type { ProgressOptions } from '../../base/progress.js'
import type { Block } from '../../model/layers/block.js'
import type { NextToken } from './next-token.js'

/** Tokens of the prompt, or the model's limit if lower. */
const TOKENS = 256
const ROUNDS = 5
/** No further round is started after this time. */
const MOST_MS = 10_000

/** Speed at which cuts of a model read a prompt. */
export interface PrefillSpeed {
  /** Tokens of the prompt. */
  tokens: number
  /** For each cut, up to the token that follows the prompt. */
  tokensPerSecond: number[]
}

/**
 * Measures how fast a model without some blocks of layers reads a prompt. The cuts run in turn, and of each the fastest
 * run counts: what else the machine does slows runs down, and never speeds them up.
 * @param cuts  blocks to omit; none for the whole model
 * @param maxTokens  most tokens that the model takes
 * @param tokenRows  rows of its embedding
 */
export async function measurePrefill(
  { predict, maxBatch }: Pick<NextToken, 'predict' | 'maxBatch'>,
  cuts: Block[][],
  {
    maxTokens,
    tokenRows,
    signal,
    onProgress,
  }: { maxTokens: number; tokenRows: number; signal?: AbortSignal | undefined } & ProgressOptions,
): Promise<PrefillSpeed> {
  const tokens = Math.min(TOKENS, maxTokens)
  const ids = Array.from({ length: tokens }, (_, index) => index % tokenRows)
  const texts = Array.from({ length: Number.isFinite(maxBatch) ? maxBatch : 1 }, () => ({ ids, origin: '' }))
  // the first run of each loads what it needs
  let runs = 0
  const total = cuts.length * (1 + ROUNDS)
  const report = () => {
    const detail = `run ${runs + 1} of ${total}`
    onProgress?.({ phase: 'speed of reading a prompt', done: runs++, total, isMost: true, detail })
  }
  for (const removed of cuts) {
    report()
    await predict(texts, removed)
  }
  const fastestMs = cuts.map(() => Infinity)
  const start = performance.now()
  for (let round = 0; round < ROUNDS && (round === 0 || performance.now() - start < MOST_MS); round++) {
    for (const [cut, removed] of cuts.entries()) {
      signal?.throwIfAborted()
      report()
      const before = performance.now()
      await predict(texts, removed)
      fastestMs[cut] = Math.min(fastestMs[cut]!, performance.now() - before)
    }
  }
  return { tokens, tokensPerSecond: fastestMs.map((ms) => (1000 * texts.length * tokens) / ms) }
}
