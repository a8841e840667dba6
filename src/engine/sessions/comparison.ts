import { COMPARED, REFERENCE_STATE_INPUT } from '../../model/graph/heads/comparison.js'

import { STATE_INPUT } from '../../model/graph/segment.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import type { GraphRunner } from './graph-runner.js'
import { chunkPositions, feedHead, type ScoredPosition, type State, takeRows } from './scored-positions.js'

type Ort = typeof import('onnxruntime-node')

/** What a model predicts of the texts of a batch, and how near that comes to what a reference model predicts. */
export interface Comparison {
  /** For each text, the sum over its tokens but the first of the logarithm of the token's probability, in nats. */
  logLikelihoods: Float64Array
  /** For each text, the sum over the same tokens of KL(reference || model), in nats. */
  divergences: Float64Array
  /** For each text, at how many of these tokens the reference's most probable token is the model's too. */
  agreements: Float64Array
}

export interface CompareOptions {
  /** Rows of logits to make at a time. */
  headRows?: number | undefined
  /** Called after each chunk of positions with the share of them that it is. */
  onChunk?: ((share: number) => void) | undefined
}

/**
 * Compares what models predict that have the same head, from their last states.
 * @param head    of `takeComparisonHead`
 * @param states  one of each model, the reference model's first
 * @returns one for each state
 */
export async function compareStates(
  ort: Ort,
  head: GraphRunner,
  states: State[],
  batch: EncodedText[],
  { headRows, onChunk }: CompareOptions = {},
): Promise<Comparison[]> {
  const comparisons = states.map(() => makeComparison(batch.length))
  const chunks = chunkPositions(batch, { models: states.length, rows: headRows })
  for (const chunk of chunks) {
    const rows = { [STATE_INPUT]: takeRows(ort, states, chunk) }
    addChunk(comparisons, chunk, await runHead(ort, head, rows, { chunk, models: states.length }))
    onChunk?.(1 / chunks.length)
  }
  return comparisons
}

/**
 * Compares what a model predicts with what a reference model does, whose head may be another.
 * @param head  of `takePairHead`
 * @param headRows  rows of logits to make at a time
 * @returns of the reference, then of the model
 */
export async function comparePair(
  ort: Ort,
  head: GraphRunner,
  { state, reference }: { state: State; reference: State },
  batch: EncodedText[],
  headRows?: number,
): Promise<[reference: Comparison, model: Comparison]> {
  const comparisons = [makeComparison(batch.length), makeComparison(batch.length)] as [Comparison, Comparison]
  for (const chunk of chunkPositions(batch, { models: 2, rows: headRows })) {
    const rows = {
      [STATE_INPUT]: takeRows(ort, [state], chunk),
      [REFERENCE_STATE_INPUT]: takeRows(ort, [reference], chunk),
    }
    addChunk(comparisons, chunk, await runHead(ort, head, rows, { chunk, models: 2 }))
  }
  return comparisons
}

/** @returns [positions, models, COMPARED] */
async function runHead(
  ort: Ort,
  head: GraphRunner,
  rows: Record<string, State>,
  { chunk, models }: { chunk: ScoredPosition[]; models: number },
): Promise<Float32Array> {
  const ids = chunk.flatMap(({ target }) => Array<number>(models).fill(target))
  const feeds = feedHead(ort, head, rows, { ids, shape: [chunk.length, models, 1] })
  return (await head.run(feeds))[head.outputNames[0]!]!.data as Float32Array
}

function makeComparison(texts: number): Comparison {
  return {
    logLikelihoods: new Float64Array(texts),
    divergences: new Float64Array(texts),
    agreements: new Float64Array(texts),
  }
}

/** @param numbers [positions, models, COMPARED] */
function addChunk(comparisons: Comparison[], chunk: ScoredPosition[], numbers: Float32Array): void {
  for (const [position, { text }] of chunk.entries()) {
    for (const [model, comparison] of comparisons.entries()) {
      const at = (position * comparisons.length + model) * COMPARED.length
      comparison.logLikelihoods[text]! += numbers[at]!
      // only rounding makes a divergence negative
      comparison.divergences[text]! += Math.max(0, numbers[at + 1]!)
      comparison.agreements[text]! += numbers[at + 2]!
    }
  }
}
