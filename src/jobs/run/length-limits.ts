import { formatQuantity } from '../../base/format-numbers.js'
import type { Model } from '../../engine/model.js'
import { findLostWindow } from './lost-window.js'

interface LengthLimit {
  /** Infinity if there is no limit. */
  tokens: number
  /** Describes the limit in a few words. */
  what: string
  /** Describes what a longer length exceeds if it is refused; null if texts are cut at the limit instead. */
  refused: string | null
}

/** Limits on the length of texts: the model's positions, and the length up to which its graph equals the model. */
export function findLengthLimits({ config, decoder, format, file }: Model): LengthLimit[] {
  const positions = config.maxPositions ?? Infinity
  const window = (format === 'onnx' && findLostWindow(config, decoder.model.graph)) || Infinity
  const dense = decoder.indexTopK ?? Infinity
  return [
    {
      tokens: positions,
      what: 'the positions of the model',
      refused: null,
    },
    {
      tokens: window,
      what: `the window of attention, which ${file} lacks`,
      refused: `the window of ${formatQuantity(window, 'token')} that attention has by the config: ${file} has no window, and computes something else than the model of longer texts`,
    },
    {
      tokens: dense,
      what: 'up to which sparse attention sees all',
      refused: `the ${formatQuantity(dense, 'token')} up to which the sparse attention of ${config.family} sees all (index_topk): what it sees of longer texts cannot be computed here`,
    },
  ]
}

/** Tokens of the longest text that a model can take; Infinity if nothing limits it. */
export function mostTokens(model: Model): number {
  return Math.min(...findLengthLimits(model).map(({ tokens }) => tokens))
}
