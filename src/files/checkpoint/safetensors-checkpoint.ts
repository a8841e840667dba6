import type { Adapter } from './adapter/adapter-config.js'
import type { TensorLocation } from './safetensors-header.js'

/** The tensors of a model, however many files they are spread over. */
export interface SafetensorsCheckpoint {
  /** Real paths, symlinks resolved. */
  files: string[]
  tensors: Map<string, TensorLocation>
  /** The metadata of the headers; if shards differ, the later one wins. */
  metadata: Record<string, string>
  /** Path of the index that says which file holds a tensor; undefined if one file holds all. */
  index?: string | undefined
  /** What is added to its tensors as they are read. */
  adapter?: Adapter | undefined
}
