import type { SCHEMAS } from '../../results/documents/schemas.js'
import type { HealingSettings } from './settings.js'
import type { AdapterTargets } from './targets.js'
import type { TrainingData } from './training-data.js'

/** The model, data and settings of a training, as printed by `recipe --json`. Keys may be added, none changes meaning. */
export interface Training {
  schema: typeof SCHEMAS.recipe
  /** As the user named it. */
  model: string
  data: TrainingData
  settings: HealingSettings
  /** Estimated passes over the texts; null if their files do not tell. */
  epochs: number | null
  targets: AdapterTargets
  /** Where the adapter is written. */
  output: string
  /** Token that pads sequences if the tokenizer names none of its own; null if it does. */
  padToken: string | null
}
