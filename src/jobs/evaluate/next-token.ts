import type { Model } from '../../engine/model.js'
import { openDecoderPieces, type State } from '../../engine/sessions/decoder-pieces.js'
import { type GraphRunner, openRunner } from '../../engine/sessions/graph-runner.js'
import { findFixedBatch } from '../../engine/sessions/runs.js'
import type { SessionOptions } from '../../engine/sessions/session.js'
import { NEXT_TOKEN_OUTPUT, takeNextTokenHead } from '../../model/graph/heads/likelihood.js'
import { STATE_INPUT } from '../../model/graph/segment.js'
import type { Block } from '../../model/layers/block.js'
import { normalizeBlocks } from '../../model/layers/blocks.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import { findBoundaries, keptPieces } from './kept-pieces.js'

/** Predicts the most likely next token of a text, with the whole model or without some blocks of layers. */
export interface NextToken {
  /** Maximum texts at once. */
  maxBatch: number
  /**
   * Runs all tokens of the texts.
   * @param removed  blocks of layers to omit; none for the whole model
   * @param counts  of each text, how many of its last tokens are asked about; 1 if omitted, as it must be if `maxBatch`
   *   is finite
   * @returns for each text, the most likely token after each of these
   */
  predict(texts: EncodedText[], removed: Block[], counts?: number[]): Promise<number[][]>
  close(): Promise<void>
}

/**
 * Opens a model to predict next tokens; its parts are loaded on first use.
 * @param blocks  blocks that may be removed
 * @throws LayerpruneError if the model has no head
 */
export async function openNextToken(
  { decoder, config, precision }: Pick<Model, 'decoder' | 'config' | 'precision'>,
  blocks: Block[],
  options: SessionOptions,
): Promise<NextToken> {
  const boundaries = findBoundaries(config.layers, blocks)
  const pieces = await openDecoderPieces(decoder, config, boundaries, options)
  const ort = await import('onnxruntime-node')
  const head = takeNextTokenHead(decoder)
  let opened: Promise<GraphRunner> | undefined
  return {
    maxBatch: findFixedBatch(decoder.model.graph) ?? (precision.sharesScaleInBatch ? 1 : Infinity),
    async predict(texts, removed, counts = texts.map(() => 1)) {
      let state = await pieces.embed(texts)
      for (const piece of keptPieces(boundaries, normalizeBlocks(removed, config.layers))) {
        state = await pieces.run(piece, state, texts)
      }
      opened ??= openRunner(head, config, [STATE_INPUT], { ...options, shared: true })
      const runner = await opened
      const asked = texts.map(({ ids, origin }, text) => ({ origin, ids: ids.slice(-counts[text]!) }))
      const positions = asked.flatMap(({ ids, origin }) => ids.map((id) => ({ ids: [id], origin })))
      const rows = takeLast(ort, state, texts, counts)
      const outputs = await runner.run(runner.makeFeeds(positions, 1, { [STATE_INPUT]: rows }))
      const next = Array.from(outputs[NEXT_TOKEN_OUTPUT]!.data as BigInt64Array, Number)
      return asked.map(({ ids }) => next.splice(0, ids.length))
    },
    async close() {
      await pieces.close()
      await (await opened)?.release()
    },
  }
}

/** A state at the last tokens of each text: [tokens of all, 1, hidden]. */
function takeLast(ort: typeof import('onnxruntime-node'), state: State, texts: EncodedText[], counts: number[]): State {
  const [, tokens, hidden] = state.dims as [number, number, number]
  const total = counts.reduce((sum, count) => sum + count, 0)
  const rows = state.data.slice(0, total * hidden)
  let row = 0
  for (const [text, { ids }] of texts.entries()) {
    const end = (text * tokens + ids.length) * hidden
    rows.set(state.data.subarray(end - counts[text]! * hidden, end), row)
    row += counts[text]! * hidden
  }
  return new ort.Tensor(state.type, rows, [total, 1, hidden]) as State
}
