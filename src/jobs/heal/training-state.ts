import type { AdamW, Parameters } from './optimizer.js'

/** A measurement on held-out texts. */
export interface CurvePoint {
  /** Steps taken. */
  step: number
  /** Mean over the steps since the last measurement, in nats per token; null before the first step. */
  trainingLoss: number | null
  /** In nats per token. */
  heldOutLoss: number
}

/** The state of a training besides its settings and texts: with it, a stopped run resumes bit for bit. */
export interface TrainingState {
  parameters: Parameters
  optimizer: AdamW
  /** Seconds trained. */
  seconds: number
  curve: CurvePoint[]
  /** Loss of each step, in nats per token. */
  losses: number[]
  /** The weights of the lowest held-out loss. */
  best: { step: number; heldOutLoss: number; parameters: Parameters }
}
