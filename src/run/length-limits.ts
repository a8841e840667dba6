import { formatQuantity } from '../format-numbers.js'
import type { Model } from '../model.js'
import { findLostWindow } from './lost-window.js'

/** Why texts cannot be longer. */
interface LengthLimit {
  /** Infinity if there is no limit. */
  tokens: number
  /** What longer texts are over. */
  stated: string
  /** What the limit is, in a few words. */
  what: string
  /** Whether it is the model itself that takes no longer texts. */
  isOfModel: boolean
}

/** What limits the length of texts: the model's positions, and how far its graph computes as the model does. */
export function findLengthLimits({ config, decoder, format, file }: Model): LengthLimit[] {
  const positions = config.maxPositions ?? Infinity
  const window = (format === 'onnx' && findLostWindow(config, decoder.model.graph)) || Infinity
  const dense = decoder.longestDense ?? Infinity
  return [
    {
      tokens: positions,
      stated: `the ${positions} positions of the model`,
      what: 'the positions of the model',
      isOfModel: true,
    },
    {
      tokens: window,
      stated: `the window of ${formatQuantity(window, 'token')} that attention has by the config: ${file} has no window, and computes something else than the model of longer texts`,
      what: `the window of attention, which ${file} lacks`,
      isOfModel: false,
    },
    {
      tokens: dense,
      stated: `the ${formatQuantity(dense, 'token')} up to which the sparse attention of ${config.family} sees all (index_topk): what it sees of longer texts cannot be computed here`,
      what: 'up to which sparse attention sees all',
      isOfModel: false,
    },
  ]
}
