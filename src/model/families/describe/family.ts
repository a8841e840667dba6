import type { ConfigReader } from './config-reader.js'
import type { Differences } from './differences.js'

/** Whether the checkpoint has a tensor, by its full name. */
export type Has = (name: string) => boolean

/** Layers of a model that a cut keeps, counted from 0. */
export interface Cut {
  /** Number of layers before the cut. */
  whole: number
  /** In rising order. */
  kept: number[]
}

/** Facts about a family that matter when layers are cut. */
export interface CutFacts {
  /** Values of omitted keys that layers depend on. */
  layerDefaults?: Record<string, unknown>
  /** The first layer is dense and all others have experts, unless `mlp_layer_types` lists them. */
  firstIsDense?: boolean
  /**
   * Lists of numbers that the code published with the model reads instead of transformers' lists of words. A pruned
   * config states both.
   */
  ownLists?: { from: string; to: string; words: string[] }[]
  /** Key of a short list of kinds of layers, which is repeated. */
  layerCycle?: string
  /** The last `num_kv_shared_layers` layers read keys and values of the last layer of their type before them. */
  sharesKeysByType?: boolean
  /** A cut can remove a layer's columns of the table of embeddings per layer. */
  cutsPerLayerEmbeddings?: boolean
  /** Why the kept layers would compute something else, whatever the config says; undefined if the cut is possible. */
  cutLimit?: (cut: Cut, config: Record<string, unknown>) => string | undefined
  /** `sliding_window` has no effect unless `use_sliding_window` is true. */
  windowOffByDefault?: boolean
}

/** A kind of decoder, by `model_type`: everything known about it, except facts about other programs. */
export interface Family extends CutFacts {
  /** The models people know. */
  title: string
  /** What sets it apart from Llama, in a few words. */
  notes: string
  /** Prefix of the decoder's tensors, unless it was saved without its head; default `model.` */
  prefix?: string | string[]
  /** Keys of published configs that state what the family always does; any other value is refused. */
  fixed?: Record<string, unknown>
  /** Each layer is a mixer or an MLP; a usual layer has both. */
  halfLayers?: boolean
  /** Modules of published files that transformers renames. */
  moduleNames?: Record<string, string>
  /** Ends of the paths of a layer's experts in transformers 5, if they are not the usual ones. */
  expertParameters?: string[]
  describe: (config: ConfigReader, has: Has) => Differences
}

/** Whether every kept layer keeps its number: only the last layers are removed. */
export function keepsNumbers({ kept }: Cut): boolean {
  return kept.at(-1) === kept.length - 1
}
