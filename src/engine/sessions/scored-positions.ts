import type { Tensor, TypedTensor } from 'onnxruntime-node'
import { chunk } from '../../base/chunk.js'
import { TARGETS_INPUT } from '../../model/graph/heads/likelihood.js'
import { STATE_INPUT } from '../../model/graph/segment.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import type { GraphRunner } from './graph-runner.js'
import { toInt64 } from './inputs.js'

type Ort = typeof import('onnxruntime-node')

/** A state of a batch, [batch, tokens, hidden], texts padded on the right. */
export type State = TypedTensor<'float32' | 'float16'>

/** A token of a batch that has one after it to predict. */
export interface ScoredPosition {
  text: number
  token: number
  /** The token that follows. */
  target: number
}

/** Rows of logits that are held at a time unless fewer are asked for. */
export const CHUNK_ROWS = 128

/** How many rows of logits a head makes at a time. */
export interface HeadRows {
  /** Models for each of which a position takes a row; 1 if omitted. */
  models?: number
  /** At most, unless one position takes more. */
  rows?: number
}

/** The scored positions of a batch in chunks that a head takes at once. */
export function chunkPositions(batch: EncodedText[], head: HeadRows = {}): ScoredPosition[][] {
  const positions = batch.flatMap(({ ids }, text) => ids.slice(1).map((target, token) => ({ text, token, target })))
  return chunksOf(positions, head)
}

export function chunksOf<Position>(
  positions: Position[],
  { models = 1, rows = CHUNK_ROWS }: HeadRows = {},
): Position[][] {
  return chunk(positions, Math.max(1, Math.floor(rows / models)))
}

/**
 * Feeds for a head, which takes each row of a state for a text of one token.
 * @param rows  states [rows, 1, hidden] by input
 * @param targets  token ids, in the shape in which the head takes them
 */
export function feedHead(
  ort: Ort,
  head: GraphRunner,
  rows: Record<string, State>,
  targets: { ids: number[]; shape: number[] },
): Record<string, Tensor> {
  const texts = Array.from({ length: rows[STATE_INPUT]!.dims[0]! }, (_, row) => ({
    ids: [targets.ids[row] ?? targets.ids[0]!],
    origin: '',
  }))
  const ids = new ort.Tensor('int64', toInt64(targets.ids), targets.shape)
  return head.makeFeeds(texts, 1, { ...rows, [TARGETS_INPUT]: ids })
}

/** States of the same shape at some positions, those of one position together: [positions * states, 1, hidden]. */
export function takeRows(ort: Ort, states: State[], positions: ScoredPosition[]): State {
  const [first] = states as [State, ...State[]]
  const [, tokens, hidden] = first.dims as [number, number, number]
  const count = positions.length * states.length
  const Numbers = first.data.constructor as Float32ArrayConstructor
  const rows = new Numbers(count * hidden)
  for (const [index, { text, token }] of positions.entries()) {
    const start = (text * tokens + token) * hidden
    for (const [model, { data }] of states.entries()) {
      rows.set(data.subarray(start, start + hidden), (index * states.length + model) * hidden)
    }
  }
  return new ort.Tensor(first.type, rows, [count, 1, hidden]) as State
}
