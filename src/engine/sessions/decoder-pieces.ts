import type { Tensor } from 'onnxruntime-node'
import type { ProgressOptions } from '../../base/progress.js'
import type { ModelConfig } from '../../files/checkpoint/config.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { REFERENCE_STATE_INPUT, takeComparisonHead, takePairHead } from '../../model/graph/heads/comparison.js'
import { TARGETS_INPUT, takeContinuationHead, takeLikelihoodHead } from '../../model/graph/heads/likelihood.js'
import { describePrecision } from '../../model/graph/precision.js'
import { STATE_INPUT, takeSegment } from '../../model/graph/segment.js'
import { takesTrees } from '../../model/graph/tree-attention.js'
import { type EncodedText, longestOf } from '../../texts/tokens/windows.js'
import { chooseProcess } from './choose-process.js'
import { type Comparison, comparePair, compareStates } from './comparison.js'
import { type Continuation, type ContinuationScores, scoreContinuations } from './continuations.js'
import { type GraphRunner, openRunner } from './graph-runner.js'
import { PieceMemory } from './piece-memory.js'
import { RunnerStore } from './runner-store.js'
import { assertBatchSize, findFixedBatch } from './runs.js'
import { chunkPositions, feedHead, type State, takeRows } from './scored-positions.js'
import type { PlacedOptions } from './session.js'

type Ort = typeof import('onnxruntime-node')

export type { State } from './scored-positions.js'

/** What is computed from last states. */
export type Head = 'likelihood' | 'comparison' | 'continuations'

interface LoadOptions extends ProgressOptions {
  /** Loaded too. */
  head?: Head
  signal?: AbortSignal | undefined
}

/** Inputs of the pieces, and of heads that compare, that are not made from texts. */
export const FED_BY_PIECES = [STATE_INPUT, REFERENCE_STATE_INPUT, TARGETS_INPUT]

/**
 * A decoder in pieces that run in any order, and any of which may be omitted: the embedding, runs of layers, the head.
 * Each is loaded on first use and stays loaded unless `limitWeights` leaves no room for it.
 */
export class DecoderPieces {
  readonly #ort: Ort
  readonly #decoder: DecoderGraph
  readonly #head: DecoderGraph
  readonly #config: ModelConfig
  readonly #boundaries: number[]
  readonly #fixedBatch: number | null
  readonly #sharesScale: boolean
  readonly #takesTrees: boolean
  readonly #times = new Map<number, { seconds: number; tokens: number; runs: number }>()
  readonly #runners: RunnerStore
  #headRows: number | undefined

  constructor(ort: Ort, decoder: DecoderGraph, config: ModelConfig, boundaries: number[], options: PlacedOptions) {
    this.#ort = ort
    this.#decoder = decoder
    this.#head = takeLikelihoodHead(decoder)
    this.#config = config
    this.#boundaries = boundaries
    this.#runners = new RunnerStore((part, own) =>
      openRunner(part, config, FED_BY_PIECES, {
        ...options,
        apart: chooseProcess(part, options.apart),
        shared: true,
        ...own,
      }),
    )
    this.#fixedBatch = findFixedBatch(decoder.model.graph)
    this.#sharesScale = describePrecision(decoder).sharesScaleInBatch
    this.#takesTrees = takesTrees(decoder)
  }

  /** How many texts the decoder takes at once, if it takes no other number. */
  get fixedBatch(): number | null {
    return this.#fixedBatch
  }

  measureMemory(): PieceMemory {
    const layers = this.#boundaries
      .slice(1)
      .map((to, index) => takeSegment(this.#decoder, { from: this.#boundaries[index]!, to }))
    return new PieceMemory(this.#decoder, this.#config, [...layers, this.#takeComparison()])
  }

  /** Keeps pieces loaded only while their weights fit; heads make `headRows` rows of logits at a time. */
  limitWeights(roomBytes: number, headRows: number): void {
    this.#runners.roomBytes = roomBytes
    this.#headRows = headRows
  }

  /** Loads pieces with progress, so that the first run takes no longer; returns whether one was loaded. */
  async load(pieces: number[], { head, onProgress, signal }: LoadOptions): Promise<boolean> {
    const missing = [...new Set(pieces)].filter((index) => !this.#runners.has(`${index}`))
    if (missing.length === 0) return false
    const countLayers = (index: number) => this.#boundaries[index + 1]! - this.#boundaries[index]!
    const total = missing.reduce((sum, index) => sum + countLayers(index), 0)
    let done = 0
    const report = () => onProgress?.({ phase: 'loading the model', done, total, unit: 'layer' })
    report()
    await this.#openEmbedding()
    if (head !== undefined) await this.#openHead(head)
    for (const index of missing) {
      signal?.throwIfAborted()
      await this.#openPiece(index)
      done += countLayers(index)
      report()
    }
    return true
  }

  /** State 0 of a batch, padded to `tokens` or, if omitted, to its longest text. */
  async embed(batch: EncodedText[], tokens = longestOf(batch)): Promise<State> {
    assertBatchSize(batch.length, this.#fixedBatch)
    if (!this.#takesTrees && batch.some(({ tree }) => tree !== undefined)) {
      throw new Error('a prefix tree was given to a decoder that reads texts only')
    }
    return (await runPiece(this.#openEmbedding(), batch, tokens, {})) as State
  }

  /** Runs the layers of piece `index` on the state before them. */
  async run(index: number, state: State, batch: EncodedText[]): Promise<State> {
    const piece = await this.#openPiece(index)
    const startMs = performance.now()
    const next = (await runPiece(piece, batch, state.dims[1]!, { [STATE_INPUT]: state })) as State
    this.#addTime(index, performance.now() - startMs, batch)
    return next
  }

  /** Seconds that a piece took for each token so far, padding not counted; null if it never ran. */
  secondsPerToken(index: number): number | null {
    const time = this.#times.get(index)
    return time === undefined ? null : time.seconds / time.tokens
  }

  /** The first batch of a piece is slower, because it allocates memory: it counts only until there is another. */
  #addTime(index: number, milliseconds: number, batch: EncodedText[]): void {
    const seconds = milliseconds / 1000
    const tokens = batch.reduce((sum, { ids }) => sum + ids.length, 0)
    const before = this.#times.get(index)
    if (before === undefined || before.runs === 1) {
      this.#times.set(index, { seconds, tokens, runs: (before?.runs ?? 0) + 1 })
      return
    }
    this.#times.set(index, {
      seconds: before.seconds + seconds,
      tokens: before.tokens + tokens,
      runs: before.runs + 1,
    })
  }

  /** For each text, the sum over its tokens but the first of the logarithm of the token's probability, in nats. */
  async score(state: State, batch: EncodedText[]): Promise<Float64Array> {
    const head = await this.#openHead('likelihood')
    const scores = new Float64Array(batch.length)
    for (const chunk of chunkPositions(batch, { rows: this.#headRows })) {
      const rows = { [STATE_INPUT]: takeRows(this.#ort, [state], chunk) }
      const ids = chunk.map(({ target }) => target)
      const outputs = await head.run(feedHead(this.#ort, head, rows, { ids, shape: [chunk.length, 1] }))
      const likelihoods = outputs[head.outputNames[0]!]!.data as Float32Array
      for (const [index, { text }] of chunk.entries()) scores[text]! += likelihoods[index]!
    }
    return scores
  }

  /**
   * Compares what models predict that have the decoder's head, from their last states.
   * @param states  one of each model, the reference model's first
   * @param onChunk  called after parts of the work with the share that each is
   * @returns one for each state
   */
  async compare(states: State[], batch: EncodedText[], onChunk?: (share: number) => void): Promise<Comparison[]> {
    const head = await this.#openHead('comparison')
    const headRows = this.#headRows
    if (!this.#sharesScale) return compareStates(this.#ort, head, states, batch, { headRows, onChunk })
    const [reference, ...others] = states as [State, ...State[]]
    const comparisons: Comparison[] = []
    for (const state of [...(others.length === 0 ? [reference] : others)]) {
      const [whole, compared] = await comparePair(this.#ort, head, { state, reference }, batch, headRows)
      if (comparisons.length === 0) comparisons.push(whole)
      if (others.length > 0) comparisons.push(compared)
      onChunk?.(1 / Math.max(1, others.length))
    }
    return comparisons
  }

  /** How likely continuations are to the model, from the last state of their texts. */
  async scoreContinuations(state: State, continuations: Continuation[]): Promise<ContinuationScores> {
    const head = await this.#openHead('continuations')
    return scoreContinuations(this.#ort, head, state, continuations)
  }

  close(): Promise<void> {
    return this.#runners.close()
  }

  #openEmbedding(): Promise<GraphRunner> {
    return this.#runners.get('embedding', () => takeSegment(this.#decoder, { to: 0 }))
  }

  #openPiece(index: number): Promise<GraphRunner> {
    const range = { from: this.#boundaries[index]!, to: this.#boundaries[index + 1]! }
    return this.#runners.get(`${index}`, () => takeSegment(this.#decoder, range))
  }

  #openHead(head: Head): Promise<GraphRunner> {
    const take = {
      likelihood: () => this.#head,
      comparison: () => this.#takeComparison(),
      continuations: () => takeContinuationHead(this.#decoder),
    }
    // rows of logits are so large that the system would take their memory back after each run, and clear it for the next
    return this.#runners.get(head, take[head], { keepsMemory: this.#headRows === undefined })
  }

  #takeComparison(): DecoderGraph {
    // rows of other models would change the scale with which a model's rows are quantised
    return this.#sharesScale ? takePairHead(this.#decoder, this.#decoder) : takeComparisonHead(this.#decoder)
  }
}

/**
 * Opens a decoder in pieces.
 * @param boundaries states at which a piece ends and the next begins, ascending; the first is 0, the last the
 *   number of layers
 * @throws LayerpruneError if the decoder has no head
 */
export async function openDecoderPieces(
  decoder: DecoderGraph,
  config: ModelConfig,
  boundaries: number[],
  options: PlacedOptions,
): Promise<DecoderPieces> {
  return new DecoderPieces(await import('onnxruntime-node'), decoder, config, boundaries, options)
}

/** @returns the only output of a piece */
async function runPiece(
  piece: GraphRunner | Promise<GraphRunner>,
  batch: EncodedText[],
  tokens: number,
  fedByCaller: Record<string, Tensor>,
): Promise<Tensor> {
  const runner = await piece
  const outputs = await runner.run(runner.makeFeeds(batch, tokens, fedByCaller))
  return outputs[runner.outputNames[0]!]!
}
