import type { Model } from '../../engine/model.js'
import type { RunMeter } from '../../engine/sessions/run-meter.js'
import { countTokenRows } from '../../engine/sessions/token-ids.js'
import { countParameters } from './parameters.js'

/** Speed of a run, to estimate the time of other runs of the same model. */
export interface RunRate {
  /** Tokens through all layers, the time to load the model not counted. */
  tokensPerSecond: number
  loadingSeconds: number
  /** See `countHeadShare`. */
  headShare: number
}

/** The rate of a run; null if it measured nothing, as one that was resumed at its end. */
export function describeRate({ decoder, config }: Model, { tokens, seconds }: RunMeter): RunRate | null {
  if (tokens === 0) return null
  const total = Object.values(seconds).reduce((sum, part) => sum + part, 0)
  return {
    tokensPerSecond: tokens / (total - seconds.loading),
    loadingSeconds: seconds.loading,
    headShare: countHeadShare({ decoder, config }),
  }
}

/** Cost of the head per token, as a share of the cost of all layers. */
export function countHeadShare({ decoder, config }: Pick<Model, 'decoder' | 'config'>): number {
  const { attention, mixers, mlp, other, head } = countParameters(decoder)
  const rows = countTokenRows(decoder.model.graph)
  // a head that is tied to the embedding is as large as it
  return (Number.isFinite(rows) ? rows * config.hiddenSize : head) / (attention + mixers + mlp + other)
}
