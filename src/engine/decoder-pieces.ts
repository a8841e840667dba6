import type { Tensor, TypedTensor } from 'onnxruntime-node'
import type { ModelConfig } from '../checkpoint/config.js'
import { takeContinuationHead } from '../graph/continuation-head.js'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import { TARGETS_INPUT, takeLikelihoodHead } from '../graph/likelihood.js'
import { STATE_INPUT, takeSegment } from '../graph/segment.js'
import type { EncodedText } from '../texts/windows.js'
import { type Continuation, type ContinuationScores, scoreContinuations } from './continuations.js'
import { type GraphRunner, openRunner } from './graph-runner.js'
import { assertBatchSize, findFixedBatch } from './runs.js'
import { releaseAll, type SessionOptions } from './session.js'

type Ort = typeof import('onnxruntime-node')

/** Positions whose logits are held at a time. */
const CHUNK_POSITIONS = 128

/** A state of a batch, [batch, tokens, hidden], texts padded on the right. */
export type State = TypedTensor<'float32' | 'float16'>

/**
 * A decoder in pieces that run one after another, in any order, and any of which may be omitted: the embedding,
 * runs of layers, and the head. Each is loaded on first use, so that a piece that nobody runs costs nothing.
 */
export class DecoderPieces {
  readonly #ort: Ort
  readonly #decoder: DecoderGraph
  readonly #head: DecoderGraph
  readonly #config: ModelConfig
  readonly #boundaries: number[]
  readonly #options: SessionOptions
  readonly #fixedBatch: number | null
  readonly #opened = new Map<string, Promise<GraphRunner>>()

  constructor(
    ort: Ort,
    decoder: DecoderGraph,
    config: ModelConfig,
    boundaries: number[],
    options: SessionOptions,
  ) {
    this.#ort = ort
    this.#decoder = decoder
    this.#head = takeLikelihoodHead(decoder)
    this.#config = config
    this.#boundaries = boundaries
    this.#options = options
    this.#fixedBatch = findFixedBatch(decoder.model.graph)
  }

  /** State 0 of a batch. */
  async embed(batch: EncodedText[]): Promise<State> {
    assertBatchSize(batch.length, this.#fixedBatch)
    const piece = this.#open('embedding', () => takeSegment(this.#decoder, { to: 0 }))
    return (await runPiece(piece, batch, {})) as State
  }

  /** Runs the layers of piece `index` on the state before them. */
  async run(index: number, state: State, batch: EncodedText[]): Promise<State> {
    const range = { from: this.#boundaries[index]!, to: this.#boundaries[index + 1]! }
    const piece = this.#open(`${index}`, () => takeSegment(this.#decoder, range))
    return (await runPiece(piece, batch, { [STATE_INPUT]: state })) as State
  }

  /**
   * How likely each text is to the model, from its last state.
   * @returns for each text, the sum over its tokens but the first of the logarithm of the token's probability, in nats
   */
  async score(state: State, batch: EncodedText[]): Promise<Float64Array> {
    const piece = this.#open('head', () => this.#head)
    const scores = new Float64Array(batch.length)
    for (const chunk of chunksOf(scoredPositions(batch), CHUNK_POSITIONS)) {
      const targets = BigInt64Array.from(chunk, ({ target }) => BigInt(target))
      const outputs = await runPiece(
        piece,
        chunk.map(({ target }) => ({ ids: [target], origin: '' })),
        {
          [STATE_INPUT]: takeRows(this.#ort, state, chunk),
          [TARGETS_INPUT]: new this.#ort.Tensor('int64', targets, [chunk.length, 1]),
        },
      )
      const likelihoods = outputs.data as Float32Array
      for (const [index, { text }] of chunk.entries()) scores[text]! += likelihoods[index]!
    }
    return scores
  }

  /** How likely continuations are to the model, from the last state of their texts. */
  async scoreContinuations(state: State, continuations: Continuation[]): Promise<ContinuationScores> {
    const piece = this.#open('continuations', () => takeContinuationHead(this.#decoder))
    return scoreContinuations(this.#ort, await piece, state, continuations)
  }

  async close(): Promise<void> {
    await releaseAll([...this.#opened.values()])
    this.#opened.clear()
  }

  #open(name: string, take: () => DecoderGraph): Promise<GraphRunner> {
    const piece =
      this.#opened.get(name) ??
      openRunner(take(), this.#config, [STATE_INPUT, TARGETS_INPUT], { ...this.#options, shared: true })
    this.#opened.set(name, piece)
    return piece
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
  options: SessionOptions,
): Promise<DecoderPieces> {
  return new DecoderPieces(await import('onnxruntime-node'), decoder, config, boundaries, options)
}

/** @returns the only output of a piece */
async function runPiece(
  piece: Promise<GraphRunner>,
  batch: EncodedText[],
  fedByCaller: Record<string, Tensor>,
): Promise<Tensor> {
  const runner = await piece
  const outputs = await runner.run(runner.makeFeeds(batch, longest(batch), fedByCaller))
  return outputs[runner.outputNames[0]!]!
}

interface ScoredPosition {
  text: number
  token: number
  /** The token that follows. */
  target: number
}

function scoredPositions(batch: EncodedText[]): ScoredPosition[] {
  return batch.flatMap(({ ids }, text) => ids.slice(1).map((target, token) => ({ text, token, target })))
}

function longest(batch: EncodedText[]): number {
  return Math.max(...batch.map(({ ids }) => ids.length))
}

function chunksOf<T>(items: T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  )
}

/** A state at some positions: [positions, 1, hidden]. */
function takeRows(ort: Ort, state: State, positions: ScoredPosition[]): State {
  const [, tokens, hidden] = state.dims as [number, number, number]
  const rows = state.data.slice(0, positions.length * hidden)
  for (const [index, { text, token }] of positions.entries()) {
    const start = (text * tokens + token) * hidden
    rows.set(state.data.subarray(start, start + hidden), index * hidden)
  }
  return new ort.Tensor(state.type, rows, [positions.length, 1, hidden]) as State
}
