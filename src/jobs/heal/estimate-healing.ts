import { LayerpruneError } from '../../base/errors.js'
import type { Model, ModelOptions } from '../../engine/model.js'
import { measurePeak } from '../../engine/sessions/matrix-peak.js'
import { mostTokens } from '../run/length-limits.js'
import { MAX_LENGTH } from './heal-work.js'
import { openTrainable } from './open-trainable.js'
import { chooseTraining } from './settings.js'
import { countTokenCost } from './step-cost.js'

/** Speed at which this machine trains a model. */
export type HealingEstimate =
  | {
      /** Defaults of `heal`. */
      steps: number
      batchSize: number
      maxLength: number
      seconds: number
      /** In sequences of that length. */
      tokensPerSecond: number
      /** Speed of one large float32 matrix product, 1e9 floating-point operations per second. */
      peakGflops: number
    }
  | {
      /** Why the model cannot be trained here. */
      problem: string
    }

/** Products that are timed: some tenths of a second. */
const PRODUCTS = 10

/** Share of that peak that a training step reaches. */
const EFFICIENCY = 0.65

/**
 * Estimates how long `heal` takes here, from a step's operations and a measured matrix product; no step is run.
 * @throws LayerpruneError if the model cannot be read
 */
export async function estimateHealing(options: ModelOptions): Promise<HealingEstimate> {
  let model: Model
  try {
    model = await openTrainable({ ...options, format: 'safetensors' })
  } catch (cause) {
    if (cause instanceof LayerpruneError) return { problem: cause.message }
    throw cause
  }
  const { decoder, config } = model
  const maxLength = Math.min(MAX_LENGTH, mostTokens(model))
  const { steps, batchSize } = chooseTraining({}, maxLength)
  const peakGflops = await measurePeak(undefined, PRODUCTS)
  const tokensPerSecond = (EFFICIENCY * peakGflops * 1e9) / countTokenCost(decoder, config, maxLength).step
  const seconds = (steps! * batchSize * maxLength) / tokensPerSecond
  return { steps: steps!, batchSize, maxLength, seconds, tokensPerSecond, peakGflops }
}
