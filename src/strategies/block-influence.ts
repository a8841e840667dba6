import { openStateSession, type SessionOptions } from '../runtime/session.js'
import type { Calibration } from './calibration.js'

/**
 * Block influence of every layer: one minus the cosine between its input and its output, averaged over all tokens
 * (Men et al. 2024, ShortGPT, arXiv 2403.03853). A layer of low influence hardly turns what passes it.
 * @returns [layers], each in [0, 2]
 */
export async function measureBlockInfluence(
  { model, batches, texts: total }: Calibration,
  options: SessionOptions & {
    signal?: AbortSignal | undefined
    onTexts?: ((done: number, total: number) => void) | undefined
  },
): Promise<number[]> {
  const { layers } = model.config
  const size = layers + 1
  const sums = new Float64Array(layers)
  let tokens = 0
  let texts = 0
  const session = await openStateSession(model.decoder, model.config, options)
  try {
    for (const batch of batches) {
      options.signal?.throwIfAborted()
      const everyToken = batch.map(({ ids }) => ids.map((_, token) => token))
      const gram = await session.measureGram(batch, everyToken)
      for (let start = 0; start < gram.length; start += size * size) {
        for (let layer = 0; layer < layers; layer++) {
          const at = (a: number, b: number) => gram[start + a * size + b]!
          sums[layer]! += 1 - at(layer, layer + 1) / Math.sqrt(at(layer, layer) * at(layer + 1, layer + 1))
        }
      }
      tokens += everyToken.flat().length
      texts += batch.length
      options.onTexts?.(texts, total)
    }
  } finally {
    await session.close()
  }
  return Array.from(sums, (sum) => sum / tokens)
}
