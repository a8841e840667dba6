import type { InferenceSession, Tensor, TypedTensor } from 'onnxruntime-node'
import type { ModelConfig } from '../checkpoint/config.js'
import { LayerpruneError } from '../errors.js'
import { formatQuantity } from '../format-numbers.js'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import { TARGETS_INPUT, takeLikelihoodHead } from '../graph/likelihood.js'
import { dimensions, type GraphProto } from '../graph/onnx.js'
import { STATE_INPUT, takeSegment } from '../graph/segment.js'
import type { EncodedText } from '../texts/windows.js'
import { type MakeInput, planInputs } from './inputs.js'
import { runGraph } from './run-graph.js'
import { createSession, releaseAll, type SessionOptions } from './session.js'

/** Positions whose logits are held at a time. */
const CHUNK_POSITIONS = 128

/** A state of a batch, [batch, tokens, hidden], texts padded on the right. */
export type State = TypedTensor<'float32' | 'float16'>

/**
 * A decoder in pieces that run one after another, in any order and with any left out: the embedding, runs of
 * layers, and the head. Each is loaded when it is first asked for, so that a piece that nobody runs costs nothing.
 */
export interface DecoderPieces {
  /** State 0 of a batch. */
  embed(batch: EncodedText[]): Promise<State>
  /** Runs the layers of piece `index` on the state before them. */
  run(index: number, state: State, batch: EncodedText[]): Promise<State>
  /**
   * How likely the model holds each text, from its last state.
   * @returns for each text, the sum over its tokens but the first of the logarithm of the token's probability, in nats
   */
  score(state: State, batch: EncodedText[]): Promise<Float64Array>
  close(): Promise<void>
}

interface Piece {
  session: InferenceSession
  inputs: Map<string, MakeInput>
}

/**
 * Takes a decoder into pieces.
 * @param boundaries states at which a piece ends and the next begins, ascending; the first is 0, the last the
 *   number of layers
 * @throws LayerpruneError where the decoder has no head
 */
export async function openDecoderPieces(
  decoder: DecoderGraph,
  config: ModelConfig,
  boundaries: number[],
  options: SessionOptions,
): Promise<DecoderPieces> {
  const ort = await import('onnxruntime-node')
  const head = takeLikelihoodHead(decoder)
  const opened = new Map<string, Promise<Piece>>()

  async function openPiece(graph: DecoderGraph): Promise<Piece> {
    const inputs = planInputs(ort, graph.model.graph!, config, new Set([STATE_INPUT, TARGETS_INPUT]))
    return { inputs, session: await createSession(ort, graph, { ...options, shared: true }) }
  }
  function open(name: string, take: () => DecoderGraph): Promise<Piece> {
    const piece = opened.get(name) ?? openPiece(take())
    opened.set(name, piece)
    return piece
  }
  async function runPiece(piece: Promise<Piece>, batch: EncodedText[], own: Record<string, Tensor>) {
    const { session, inputs } = await piece
    const tokens = longest(batch)
    const feeds = { ...own }
    for (const [name, make] of inputs) feeds[name] = make(batch, tokens)
    const outputs = await runGraph(session, feeds)
    return outputs[session.outputNames[0]!]!
  }

  return {
    async embed(batch) {
      assertBatchFits(decoder.model.graph!, batch)
      const piece = open('embedding', () => takeSegment(decoder, { to: 0 }))
      return (await runPiece(piece, batch, {})) as State
    },
    async run(index, state, batch) {
      const range = { from: boundaries[index]!, to: boundaries[index + 1]! }
      const piece = open(`${index}`, () => takeSegment(decoder, range))
      return (await runPiece(piece, batch, { [STATE_INPUT]: state })) as State
    },
    async score(state, batch) {
      const piece = open('head', () => head)
      const scores = new Float64Array(batch.length)
      for (const chunk of chunksOf(scoredPositions(batch), CHUNK_POSITIONS)) {
        const targets = BigInt64Array.from(chunk, ({ target }) => BigInt(target))
        const outputs = await runPiece(
          piece,
          chunk.map(({ target }) => ({ ids: [target], origin: '' })),
          {
            [STATE_INPUT]: takeRows(ort, state, chunk),
            [TARGETS_INPUT]: new ort.Tensor('int64', targets, [chunk.length, 1]),
          },
        )
        const likelihoods = outputs.data as Float32Array
        for (const [index, { text }] of chunk.entries()) scores[text]! += likelihoods[index]!
      }
      return scores
    },
    async close() {
      await releaseAll([...opened.values()].map(async (piece) => (await piece).session))
      opened.clear()
    },
  }
}

/** Some graphs are exported for one batch size. */
function assertBatchFits(graph: GraphProto, { length }: EncodedText[]): void {
  const info = graph.input.find(({ name }) => name === 'input_ids')
  const size = info && dimensions(info)[0]
  if (typeof size !== 'number' || size === length) return
  throw new LayerpruneError(
    `the graph takes batches of ${formatQuantity(size, 'text')} only, not of ${length}`,
    {
      hint: `--batch-size ${size}`,
    },
  )
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
function takeRows(ort: typeof import('onnxruntime-node'), state: State, positions: ScoredPosition[]): State {
  const [, tokens, hidden] = state.dims as [number, number, number]
  const rows = state.data.slice(0, positions.length * hidden)
  for (const [index, { text, token }] of positions.entries()) {
    const start = (text * tokens + token) * hidden
    rows.set(state.data.subarray(start, start + hidden), index * hidden)
  }
  return new ort.Tensor(state.type, rows, [positions.length, 1, hidden]) as State
}
