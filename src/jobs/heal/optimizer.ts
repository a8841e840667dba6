/** Settings of AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) besides the learning rate. */
export interface AdamSettings {
  /** Decay of the mean of gradients, and of the mean of their squares. */
  betas: [number, number]
  epsilon: number
  /** Share of a weight that each step subtracts, times the learning rate. */
  weightDecay: number
}

/** Values of the trained weights, by name. */
export type Parameters = ReadonlyMap<string, Float32Array>

/** AdamW over a set of weights, with PyTorch's formulas. */
export class AdamW {
  readonly #settings: AdamSettings
  /** Running means of gradients and of their squares. */
  readonly means: Parameters
  readonly squares: Parameters
  /** Steps taken. */
  steps: number

  /** @param taken steps taken before, if the running means are those of an earlier run */
  constructor(
    parameters: Parameters,
    settings: AdamSettings,
    { means, squares, steps }: { means?: Parameters; squares?: Parameters; steps?: number } = {},
  ) {
    this.#settings = settings
    this.means = means ?? zerosLike(parameters)
    this.squares = squares ?? zerosLike(parameters)
    this.steps = steps ?? 0
  }

  /** Changes the weights in place by one step. */
  step(parameters: Parameters, gradients: Parameters, learningRate: number): void {
    this.steps++
    const { betas, epsilon, weightDecay } = this.#settings
    const [first, second] = betas
    const size = learningRate / (1 - first ** this.steps)
    const correction = Math.sqrt(1 - second ** this.steps)
    const kept = 1 - learningRate * weightDecay
    for (const [name, values] of parameters) {
      const [gradient, mean, square] = [gradients.get(name)!, this.means.get(name)!, this.squares.get(name)!]
      for (let index = 0; index < values.length; index++) {
        const slope = gradient[index]!
        mean[index]! += (1 - first) * (slope - mean[index]!)
        square[index] = second * square[index]! + (1 - second) * slope * slope
        const scale = Math.sqrt(square[index]!) / correction + epsilon
        values[index] = kept * values[index]! - (size * mean[index]!) / scale
      }
    }
  }
}

function zerosLike(parameters: Parameters): Parameters {
  return new Map([...parameters].map(([name, values]) => [name, new Float32Array(values.length)]))
}

/** Scales gradients in place to a norm of at most `limit`, as clip_grad_norm_; returns the norm before. */
export function clipGradients(gradients: Parameters, limit: number): number {
  let squares = 0
  for (const values of gradients.values()) {
    for (let index = 0; index < values.length; index++) squares += values[index]! ** 2
  }
  const norm = Math.sqrt(squares)
  const factor = limit / (norm + 1e-6)
  if (factor < 1) {
    for (const values of gradients.values()) {
      for (let index = 0; index < values.length; index++) values[index]! *= factor
    }
  }
  return norm
}

export interface RateSchedule {
  peak: number
  warmupSteps: number
  /** Steps of the whole training; infinite if the time alone ends it. */
  steps: number
  /** Share of the training's time that has passed, 0 to 1; 0 if only the steps end it. */
  timeShare?: number
}

/**
 * The learning rate of a step, counted from 0: linear warm-up over steps, then down to zero along half a cosine, over
 * steps or time, whichever is further.
 */
export function scheduledRate(step: number, { peak, warmupSteps, steps, timeShare = 0 }: RateSchedule): number {
  const warmth = step < warmupSteps ? (step + 1) / (warmupSteps + 1) : 1
  const stepShare = Math.max(0, step - warmupSteps) / Math.max(1, steps - warmupSteps)
  const share = Math.min(1, Math.max(stepShare, timeShare))
  return (peak * warmth * (1 + Math.cos(Math.PI * share))) / 2
}
