import { openDecoderPieces, type State } from '../engine/decoder-pieces.js'
import { type GraphRunner, openRunner } from '../engine/graph-runner.js'
import { findFixedBatch } from '../engine/runs.js'
import type { SessionOptions } from '../engine/session.js'
import { NEXT_TOKEN_OUTPUT, takeNextTokenHead } from '../graph/next-token-head.js'
import { STATE_INPUT } from '../graph/segment.js'
import type { Block } from '../layers/block.js'
import { normalizeBlocks } from '../layers/blocks.js'
import type { Model } from '../model.js'
import type { EncodedText } from '../texts/windows.js'
import { findBoundaries, keptPieces } from './evaluator.js'

/** A model, whole or without some blocks of layers, that says which token is the most likely to follow a text. */
export interface NextToken {
  /** Most texts that it takes at once. */
  maxBatch: number
  /**
   * Runs all tokens of the texts.
   * @param removed  blocks of layers to omit; none for the whole model
   * @returns the most likely next token of each text
   */
  predict(texts: EncodedText[], removed: Block[]): Promise<number[]>
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
    async predict(texts, removed) {
      let state = await pieces.embed(texts)
      for (const piece of keptPieces(boundaries, normalizeBlocks(removed, config.layers))) {
        state = await pieces.run(piece, state, texts)
      }
      opened ??= openRunner(head, config, [STATE_INPUT], { ...options, shared: true })
      const runner = await opened
      const last = texts.map(({ ids, origin }) => ({ ids: ids.slice(-1), origin }))
      const outputs = await runner.run(
        runner.makeFeeds(last, 1, { [STATE_INPUT]: takeLast(ort, state, texts) }),
      )
      return Array.from(outputs[NEXT_TOKEN_OUTPUT]!.data as BigInt64Array, Number)
    },
    async close() {
      await pieces.close()
      await (await opened)?.release()
    },
  }
}

/** A state at the last token of each text: [texts, 1, hidden]. */
function takeLast(ort: typeof import('onnxruntime-node'), state: State, texts: EncodedText[]): State {
  const [, tokens, hidden] = state.dims as [number, number, number]
  const rows = state.data.slice(0, texts.length * hidden)
  for (const [text, { ids }] of texts.entries()) {
    const start = (text * tokens + ids.length - 1) * hidden
    rows.set(state.data.subarray(start, start + hidden), text * hidden)
  }
  return new ort.Tensor(state.type, rows, [texts.length, 1, hidden]) as State
}
