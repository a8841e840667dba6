import { RUN_TOKENS } from '../../engine/sessions/memory-figures.js'
import type { Block } from '../../model/layers/block.js'
import type { OnAdvance } from '../evaluate/batch-work.js'
import type { Evaluator } from '../evaluate/evaluator.js'
import type { PreparedTasks } from './prepare-tasks.js'
import type { SharedRun } from './share-runs.js'

/** A model's likelihoods of the choices of all documents. */
export interface TaskScores {
  /** By request, in nats; not a finite number if a value on the way was not. */
  logLikelihoods: Float64Array
  /** By request, whether each token of the continuation is the most likely one. */
  isTop: boolean[]
}

export interface ScoringOptions {
  /** Texts run at once; if omitted, RUN_TOKENS padded tokens decide. */
  batchSize?: number | undefined
  onAdvance?: OnAdvance | undefined
}

/** Padded tokens from which on a larger batch is hardly faster. */
const LEAST_TOKENS = RUN_TOKENS / 4
/** A text shorter than this share of the longest in its batch waits for the next batch. */
const LEAST_FILLED = 0.8

/**
 * Scores task choices without each candidate's blocks; shared lower layers run once, similar lengths together.
 * @param candidates  blocks to remove; none for the whole model
 * @returns one for each candidate
 */
export async function scoreTasks(
  evaluator: Pick<Evaluator, 'scoreContinuations'>,
  { requests, runs }: Pick<PreparedTasks, 'requests' | 'runs'>,
  candidates: Block[][],
  { batchSize, onAdvance }: ScoringOptions = {},
): Promise<TaskScores[]> {
  const scores = candidates.map(
    (): TaskScores => ({
      logLikelihoods: new Float64Array(requests.length),
      isTop: requests.map(() => false),
    }),
  )
  const total = countTokens(runs)
  let done = 0
  for (const batch of splitRuns(runs, batchSize)) {
    const asked = batch.flatMap((run) => run.requests)
    const continuations = batch.flatMap((run, text) =>
      run.requests.map(({ request, places }) => ({ text, places, ids: requests[request]!.ids })),
    )
    const found = await evaluator.scoreContinuations(batch, continuations, candidates, ({ share, candidates }) =>
      onAdvance?.({ share: (done + share * countTokens(batch)) / total, candidates }),
    )
    for (const [candidate, { logLikelihoods, isTop }] of found.entries()) {
      for (const [index, { request }] of asked.entries()) {
        scores[candidate]!.logLikelihoods[request] = logLikelihoods[index]!
        scores[candidate]!.isTop[request] = isTop[index]!
      }
    }
    done += countTokens(batch)
  }
  return scores
}

/** Texts that run together, longest first; without a size, a batch ends before texts that are mostly padding. */
function* splitRuns(runs: SharedRun[], batchSize: number | undefined): Generator<SharedRun[]> {
  for (let start = 0; start < runs.length; ) {
    const longest = runs[start]!.ids.length
    const most = batchSize ?? Math.max(1, Math.floor(RUN_TOKENS / longest))
    const least = batchSize ?? Math.ceil(LEAST_TOKENS / longest)
    let size = Math.min(least, most)
    while (size < most && (runs[start + size]?.ids.length ?? 0) >= LEAST_FILLED * longest) size++
    yield runs.slice(start, start + size)
    start += size
  }
}

function countTokens(runs: SharedRun[]): number {
  return runs.reduce((sum, { ids }) => sum + ids.length, 0)
}
