import type { Model } from '../../engine/model.js'
import { measurePeak } from '../../engine/sessions/matrix-peak.js'
import type { Phase, RunMeter } from '../../engine/sessions/run-meter.js'
import { countParameters } from '../run/parameters.js'

/** Speed of a run against the machine's peak. */
export interface Roofline {
  /** Speed of the model's matrix products, 1e9 floating-point operations a second; null if not all weights are used. */
  gflops: number | null
  /** The same of one large float32 matrix product, measured after the run. */
  peakGflops: number
  tokensPerSecond: number
  /** Part of the tokens run that was padding, 0 to 1. */
  padding: number
  seconds: Record<Phase, number>
}

/** Part of the token pairs that causal attention in four spans computes; in one pass over the keys it is about the same. */
const PAIRS_COMPUTED = 0.625

export async function measureRoofline(
  { decoder, config }: Model,
  meter: RunMeter,
  threads: number | undefined,
): Promise<Roofline> {
  const { seconds, tokens, paddedTokens, tokenPairs, positions } = meter
  const { attention, mlp, other } = countParameters(decoder)
  const { layers, heads, headDim } = config
  // of the last layer, the MLP runs for the asked tokens only
  const weights = (attention + mlp + other) * paddedTokens - (mlp / layers) * (paddedTokens - positions)
  const pairs = 2 * PAIRS_COMPUTED * layers * heads * headDim * tokenPairs
  const hasExperts = decoder.model.graph.node.some(({ opType }) => opType === 'TopK')
  const total = Object.values(seconds).reduce((sum, part) => sum + part, 0)
  return {
    gflops: hasExperts ? null : (2 * (weights + pairs)) / seconds.model / 1e9,
    peakGflops: await measurePeak(threads),
    tokensPerSecond: tokens / (total - seconds.loading),
    padding: 1 - tokens / paddedTokens,
    seconds,
  }
}
