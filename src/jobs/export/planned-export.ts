import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import type { PlannedFile } from '../write-model/planned-file.js'

/** The files of a model in one type. */
export interface PlannedExport {
  dtype: string
  /** The graph, or the GGUF file, relative to the output folder. */
  name: string
  files: PlannedFile[]
  sizeBytes: number
  /** Opens what was written, as a graph that continues texts. */
  open: (folder: string) => Promise<DecoderGraph>
  /** Where its own tokenizer is, if it is not the model's; relative to the output folder. */
  tokenizer?: string
}
