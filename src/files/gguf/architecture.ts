import type { Dialect } from '../checkpoint/dialect.js'
import type { GgufTensor } from './header.js'
import type { Metadata } from './metadata.js'
import type { TensorNames } from './tensor-names.js'
import type { Source } from './write/source.js'
import type { Statements } from './write/written-value.js'

/** What the settings of an architecture are read from. */
export interface Facts {
  metadata: Metadata
  layers: number
  hidden: number
  heads: number
  headDim: number
  /** Longest text that the model is made for. */
  positions: number
  /** By the name that the file has for it. */
  tensor: (name: string) => GgufTensor | undefined
}

/** Names of the keys in config.json that all architectures state; null if the family's config has none. */
export interface ConfigKeys {
  layers: string
  hidden: string
  heads: string
  kvHeads: string | null
  intermediateSize: string
  positions: string
}

/** An architecture of llama.cpp: which family of checkpoints it is, and how its metadata and tensors are named there. */
export interface Architecture {
  /** `model_type` in config.json. */
  family: string
  tensors: TensorNames
  keys?: Partial<ConfigKeys>
  norm: 'rms' | 'layer'
  /** Key of the epsilon in config.json; null if the family has none. */
  epsilon?: string | null
  /** Whether all layers with a rotary embedding have the same; if not, the settings state theirs. */
  rope: boolean
  /** Key and value heads, if a file states them in a way of its own. */
  kvHeads?: (facts: Facts) => number
  /** Metadata of this architecture that do not change what it computes. */
  ignored?: string[]
  dialect?: Dialect
  /** The family that it is instead if the metadata state a number under this key. */
  variant?: { key: string; architecture: Architecture }
  /** llama.cpp gives it its windows only if it has exactly this many layers. */
  windowsNeedLayers?: number
  /** Further keys of config.json; undefined ones are omitted. */
  settings?: (facts: Facts) => Record<string, unknown>
  /** The inverse: further metadata of a file to write, by their keys without the architecture's name. */
  states?: (source: Source) => Statements
  /** Other families whose checkpoints can be written as files of this architecture. */
  holds?: string[]
  /** llama.cpp has no windows for it: why that is accepted when a model is written. */
  dropsWindows?: true
}
