import type { ConfigReader } from './config-reader.js'
import type { Differences } from './differences.js'

/** Layers of a model that a cut keeps, counted from 0. */
interface Cut {
  /** Number of layers before the cut. */
  whole: number
  /** In rising order. */
  kept: number[]
}

/** A kind of decoder, by `model_type`. Everything that is known of it, apart from facts about other programs. */
export interface Family {
  /** The models that people know it by. */
  title: string
  /** What sets it apart from Llama, in a few words. */
  notes: string
  /** What the names of the decoder's tensors start with, unless it was saved without its head; default `model.` */
  prefix?: string | string[]
  /** Keys of published configs that state what the family always does; any other value is refused. */
  fixed?: Record<string, unknown>
  /** Values of omitted keys that layers depend on, for `prune`. */
  layerDefaults?: Record<string, unknown>
  /** The first layer is dense and all others have experts, unless `mlp_layer_types` lists them. */
  firstIsDense?: boolean
  /** Each layer is a mixer or an MLP; a usual layer has both. */
  halfLayers?: boolean
  /** `sliding_window` has no effect unless `use_sliding_window` is true. */
  windowOffByDefault?: boolean
  /** Why the kept layers would compute something else, whatever the config says; undefined if they would not. */
  cutLimit?: (cut: Cut, config: Record<string, unknown>) => string | undefined
  /** @param has whether the checkpoint has a tensor, by its full name */
  describe: (config: ConfigReader, has: (name: string) => boolean) => Differences
}
