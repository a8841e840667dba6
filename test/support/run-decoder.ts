import * as ort from 'onnxruntime-node'
import { planInputs } from '../../src/engine/sessions/inputs.js'
import { createSession } from '../../src/engine/sessions/session.js'
import type { ModelConfig } from '../../src/files/checkpoint/config.js'
import type { DecoderGraph } from '../../src/model/graph/decoder-graph.js'

/** Token ids that every fixture has. */
export const TEXTS = [
  [5, 17, 33, 8, 41, 29, 3, 12, 50, 7, 22, 60],
  [9, 2, 44],
]

/** Logits of a decoder for short texts at the positions that hold a token. */
export async function runDecoder(
  decoder: DecoderGraph,
  config: ModelConfig,
  texts: number[][] = TEXTS,
): Promise<number[]> {
  const batch = texts.map((ids) => ({ ids, origin: 'test' }))
  const session = await createSession(ort, decoder, { device: 'cpu', threads: 1 })
  const tokens = Math.max(...texts.map((ids) => ids.length))
  const feeds: Record<string, ort.Tensor> = {}
  for (const [name, make] of planInputs(ort, decoder.model.graph, config, new Set())) {
    feeds[name] = make(batch, tokens)
  }
  const logits = (await session.run(feeds)).logits!
  await session.release()
  const width = logits.dims.at(-1)!
  const data = logits.data as Float32Array
  return texts.flatMap((ids, text) => [...data.slice(text * tokens * width, (text * tokens + ids.length) * width)])
}
