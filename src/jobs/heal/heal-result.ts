import type { ExportResult } from '../../results/documents/export-result.js'
import type { SCHEMAS } from '../../results/documents/schemas.js'
import type { TextUses } from '../../results/documents/text-uses.js'
import type { TrainingSettings } from './settings.js'
import type { CurvePoint } from './training-state.js'

/** What `heal --json` prints. Keys may be added, none changes meaning. */
export interface HealResult {
  schema: typeof SCHEMAS.heal
  /** As the user named it. */
  model: string
  /** Real path of the folder. */
  output: string
  /** Whether the folder holds a whole model or an adapter for the one that was trained. */
  written: 'model' | 'adapter'
  trained: {
    /** Paths of the modules. */
    modules: string[]
    /** Rank and alpha of the adapters; null if whole matrices were trained. */
    adapters: { rank: number; alpha: number } | null
    parameters: number
  }
  /** The model whose probabilities were learnt, as the user named it; null if the next token was. */
  teacher: string | null
  settings: TrainingSettings
  data: {
    training: { id: string; texts: number; sequences: number }
    heldOut: { id: string; texts: number; scoredTokens: number; repeated: number }
  }
  /** Texts that the model was trained on, and those it was measured on. */
  texts: TextUses
  /** Steps taken. */
  steps: number
  /** The step with the lowest held-out loss, whose weights were written. */
  bestStep: number
  ended: 'steps' | 'minutes' | 'patience'
  seconds: number
  tokensPerSecond: number
  /** Losses in nats per token; those on held-out texts are of the next token, before weights are rounded. */
  curve: CurvePoint[]
  /** On the held-out texts: of the whole model, if known, before training, and as written; null if not finite. */
  perplexity: { whole?: number; before: number; after: number | null }
  standardError: { whole?: number | null; before: number | null; after: number | null }
  files: { name: string; sizeBytes: number }[]
  sizeBytes: number
  /** Only from the command, if exports were asked for. */
  exports?: ExportResult[]
}

/** The result without its files, which are written last. */
export type HealFacts = Omit<HealResult, 'output' | 'files' | 'sizeBytes'>
