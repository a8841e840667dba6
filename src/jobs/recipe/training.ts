import type { SCHEMAS } from '../../results/documents/schemas.js'
import type { HealingSettings } from './settings.js'
import type { AdapterTargets } from './targets.js'
import type { TrainingData } from './training-data.js'

/** What is trained, on what, and how: what `recipe --json` prints. Keys may be added, none changes meaning. */
export interface Training {
  schema: typeof SCHEMAS.recipe
  /** As the user named it. */
  model: string
  data: TrainingData
  settings: HealingSettings
  /** About how often the texts are read; null if that cannot be told from their files. */
  epochs: number | null
  targets: AdapterTargets
  /** Where the adapter is written. */
  output: string
  /** Token that pads sequences if the tokenizer names none of its own; null if it does. */
  padToken: string | null
}
