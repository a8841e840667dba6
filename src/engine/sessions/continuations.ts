import { TOP_TOKEN_OUTPUT } from '../../model/graph/heads/likelihood.js'
import { STATE_INPUT } from '../../model/graph/segment.js'
import type { GraphRunner } from './graph-runner.js'
import { chunksOf, feedHead, type ScoredPosition, type State, takeRows } from './scored-positions.js'

type Ort = typeof import('onnxruntime-node')

/** Tokens whose likelihood after a part of a text is asked for. Several may follow the same part. */
export interface Continuation {
  /** Place of the text in its batch. */
  text: number
  /** For each of its tokens, the place of the token before it. */
  places: number[]
  ids: number[]
}

export interface ContinuationScores {
  /** For each continuation, the sum of the logarithms of its tokens' probabilities, in nats. */
  logLikelihoods: Float64Array
  /** For each continuation, whether every token is the most likely one. */
  isTop: boolean[]
}

interface Target extends ScoredPosition {
  continuation: number
}

/** Scores continuations from the last state of their texts, [batch, tokens, hidden], with a `takeContinuationHead`. */
export async function scoreContinuations(
  ort: Ort,
  head: GraphRunner,
  state: State,
  continuations: Continuation[],
): Promise<ContinuationScores> {
  const targets = continuations.flatMap(({ text, places, ids }, continuation) =>
    ids.map((target, index): Target => ({ continuation, text, token: places[index]!, target })),
  )
  const scores: ContinuationScores = {
    logLikelihoods: new Float64Array(continuations.length),
    isTop: continuations.map(() => true),
  }
  for (const chunk of chunksOf(targets)) {
    const rows = { [STATE_INPUT]: takeRows(ort, [state], chunk) }
    const ids = chunk.map(({ target }) => target)
    const outputs = await head.run(feedHead(ort, head, rows, { ids, shape: [chunk.length, 1] }))
    const likelihoods = outputs[head.outputNames[0]!]!.data as Float32Array
    const tops = outputs[TOP_TOKEN_OUTPUT]!.data as BigInt64Array
    for (const [index, { continuation, target }] of chunk.entries()) {
      scores.logLikelihoods[continuation]! += likelihoods[index]!
      if (Number(tops[index]) !== target) scores.isTop[continuation] = false
    }
  }
  return scores
}
