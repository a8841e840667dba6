import type { ExportResult } from './export-result.js'
import type { Plan } from './plan.js'
import type { SCHEMAS } from './schemas.js'

export interface WholeAndPruned {
  whole: number
  pruned: number
}

/** How the whole and the pruned model continue the same beginning, by the most likely token each time. */
export interface Sample {
  /** File and line or row of the text. */
  origin: string
  beginning: string
  whole: string
  pruned: string
}

/** What `prune --json` prints. Keys may be added, none changes meaning. */
export interface PruneResult {
  schema: typeof SCHEMAS.prune
  plan: Plan
  /** Format of the written model: tensors from PyTorch files become safetensors. */
  format: 'onnx' | 'safetensors' | 'gguf'
  /** Layers of the pruned model. */
  layers: number
  /** Real path of the folder. */
  output: string
  files: { name: string; sizeBytes: number }[]
  sizeBytes: number
  /** Number of weights, including those outside the decoder; null if they are packed in a way that hides it. */
  parameters: WholeAndPruned | null
  /** Size of the files that hold weights, including the graph itself. */
  bytes: WholeAndPruned
  /** Only from the command; null if the model could not be run here, or `--no-speed` was given. */
  tokensPerSecond?: (WholeAndPruned & { /** Length of the text that was run. */ tokens: number }) | null
  /** Only from the command, if texts were given. */
  samples?: Sample[]
  /** Only from the command, if exports were asked for. */
  exports?: ExportResult[]
  /** Why the model cannot be shown to compute what the whole one does without the layers; only with `unproven`. */
  unproven?: string
  /** Keys of config.json that were ignored on the user's word; omitted if there are none. */
  ignoredConfigKeys?: string[]
  /** Present and true if nothing was written. */
  dryRun?: true
}
