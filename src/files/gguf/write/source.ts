import { isObject } from '../../../base/is-object.js'

/** What the metadata of a file to write are taken from. */
export interface Source {
  /** config.json of the checkpoint, or the part of it that is the decoder's. */
  config: Record<string, unknown>
  layers: number
  hidden: number
  heads: number
  /** Of each layer; 0 if it has no attention. */
  kvHeads: number[]
  headDim: number
  /** Numbers of a head that are rotated; 0 if none is. */
  rotated: number
  epsilon: number
  /** Longest text that the model is made for; null if the config does not say. */
  positions: number | null
  vocabulary: number
  /** Tokens that each layer sees; null if it sees all. */
  windows: (number | null)[]
  /** Shape of a tensor of the file to write, by its name; undefined if there is none. */
  shape: (name: string) => number[] | undefined
}

/** A number of the config; undefined if it is omitted, null or something else. */
export function numberOf({ config }: Pick<Source, 'config'>, ...keys: string[]): number | undefined {
  return keys.map((key) => config[key]).find((value) => typeof value === 'number')
}

export function flagOf({ config }: Pick<Source, 'config'>, key: string): boolean | undefined {
  const value = config[key]
  return typeof value === 'boolean' ? value : undefined
}

/** Settings of the rope in either spelling: those of layers without a window if they are listed by kind of layer. */
export function ropeSettings({ config }: Pick<Source, 'config'>): Record<string, unknown> {
  const stated = [config.rope_parameters, config.rope_scaling].find(isObject) ?? {}
  const own = isObject(stated.full_attention) ? stated.full_attention : stated
  const theta = own.rope_theta ?? config.rope_theta ?? config.rotary_emb_base
  return { ...own, rope_type: own.rope_type ?? own.type ?? 'default', rope_theta: theta }
}

/** Base of the rope of layers with a window, if it has one of its own. */
export function windowRopeBase({ config }: Pick<Source, 'config'>): number | undefined {
  const { rope_parameters: stated } = config
  const own = isObject(stated) && isObject(stated.sliding_attention) ? stated.sliding_attention : {}
  return numberOf({ config: own }, 'rope_theta') ?? numberOf({ config }, 'rope_local_base_freq')
}
