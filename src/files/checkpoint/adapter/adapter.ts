import type { TensorLocation } from '../safetensors-header.js'
import type { AdapterConfig } from './adapter-config.js'

/** A LoRA adapter; only the headers of its weights were read. */
export interface Adapter {
  /** As the user named it. */
  id: string
  /** Folder of its files. */
  folder: string
  config: AdapterConfig
  /** Its weights, relative to the folder. */
  file: string
  /** Real path of its weights. */
  path: string
  tensors: ReadonlyMap<string, TensorLocation>
}
