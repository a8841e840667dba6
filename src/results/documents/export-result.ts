import type { Plan } from './plan.js'
import type { SCHEMAS } from './schemas.js'

/** How one exported file predicts the check's texts, beside the model that it was made of. */
export interface ExportCheck {
  /** Perplexity of both. */
  perplexity: { source: number; exported: number }
  /** Tokens that both continue the texts by, up to the first that differs, of all. */
  tokens: { same: number; all: number }
}

export interface ExportedFile {
  dtype: string
  /** The graph, or the GGUF file, relative to the output folder. */
  name: string
  /** Of the graph and its weights. */
  sizeBytes: number
  /** Null if it was not run. */
  check: ExportCheck | null
}

/** What `export --json` prints. Keys may be added, none changes meaning. */
export interface ExportResult {
  schema: typeof SCHEMAS.export
  model: Plan['model']
  to: 'onnx' | 'gguf'
  /** Layers of the exported model. */
  layers: number
  /** Layers that were left out, half-open. */
  removed: Plan['removed']
  exported: ExportedFile[]
  /** Whether transformers.js knows the family; null for GGUF. */
  knownToTransformersJs: boolean | null
  /** Real path of the folder. */
  output: string
  files: { name: string; sizeBytes: number }[]
  sizeBytes: number
  /** Present and true if nothing was written. */
  dryRun?: true
}
