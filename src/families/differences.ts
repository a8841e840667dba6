import type {
  Activation,
  Alibi,
  Attention,
  Experts,
  HeadNorm,
  KeySharing,
  LearntPositions,
  Linear,
  Mixer,
  Mlp,
  Norm,
  QueryGrowth,
  Rope,
  Sinusoids,
} from './description.js'

/** Where a decoder's numbers and tensors are found. All names are relative: to the model, the layer, its part. */
export const LLAMA_NAMES = {
  layers: 'layers',
  embedding: 'embed_tokens',
  finalNorm: 'norm',
  attention: 'self_attn',
  query: 'q_proj',
  key: 'k_proj',
  value: 'v_proj',
  packed: 'qkv_proj',
  output: 'o_proj',
  mlp: 'mlp',
  gate: 'gate_proj',
  up: 'up_proj',
  down: 'down_proj',
  gateUp: 'gate_up_proj',
}

export const LLAMA_NORMS = {
  beforeMixer: 'input_layernorm' as string | null,
  afterMixer: null as string | null,
  beforeMlp: 'post_attention_layernorm' as string | null,
  afterMlp: null as string | null,
  streamAfterMixer: null as string | null,
  streamAfterMlp: null as string | null,
}

/** Modules of a layer's norms that are not where Llama's are. */
export type LayerNorms = Partial<typeof LLAMA_NORMS>

export const LLAMA_KEYS = {
  hidden: 'hidden_size',
  layers: 'num_hidden_layers',
  heads: 'num_attention_heads',
  /** Null if the family derives the number in another way. */
  kvHeads: 'num_key_value_heads' as string | null,
  inner: 'intermediate_size',
  activation: 'hidden_act',
}

/** What all layers of a decoder have in common. */
export interface Sizes {
  hidden: number
  heads: number
  kvHeads: number
  headDim: number
  layers: number
}

/**
 * How a family differs from Llama, whose layer is: RMS norm, attention with rotary embedding, sum, RMS norm, gated MLP,
 * sum. Omitted fields are as in Llama.
 */
export interface Differences {
  /** Further prefix of the decoder's own tensors. */
  inner?: string
  names?: Partial<typeof LLAMA_NAMES>
  keys?: Partial<typeof LLAMA_KEYS>
  /** Full name of the head's module; `lm_head`. */
  head?: { name?: string; bias?: boolean; scale?: number; softcap?: number | null }
  /** Whether the head is the embedding table if the config does not say. */
  tied?: boolean
  /** Key and value heads if the config does not say. */
  kvHeads?: number
  /** Size of a head if the config does not say. */
  headDim?: number
  /** Sizes of a layer, if they differ between layers. */
  layerSizes?: (layer: number, sizes: Sizes) => Sizes
  norm?: {
    kind?: Norm['kind']
    /** Config key of the epsilon; null if it is fixed. */
    key?: string | null
    epsilon?: number
    bias?: boolean
    weight?: boolean
    weightOffset?: number
  }
  norms?: LayerNorms | ((layer: number, name: (tensor: string) => string) => LayerNorms)
  parallel?: boolean
  noFinalNorm?: boolean
  embedding?: {
    scale?: number
    norm?: string
    positions?: (Pick<LearntPositions, 'kind' | 'count' | 'offset'> & { name: string }) | Sinusoids
    /** Width of the table, with the modules that map it to the hidden size and back. */
    size?: number
    projections?: { into: string; back: string }
  }
  residualMultiplier?: number
  /** Which products have a bias. */
  bias?: { qkv?: boolean; output?: boolean; mlp?: boolean }
  /** In the layers that have it, the name in attention's module of a bias on its last product. */
  outputBias?: (layer: number, sizes: Sizes) => string | null
  layout?: Exclude<Attention['projections']['layout'], 'key as value' | 'query only'>
  /** Weights of the layers are stored as [inputs, outputs]. */
  transposed?: boolean
  /** Null for a layer without rotary embedding. */
  rope?: (layer: number, sizes: Sizes) => Rope | null
  headNorm?: {
    span: HeadNorm['span']
    query: string
    key: string
    /** Values are normed too, without weights. */
    values?: boolean
    bias?: boolean
    afterRope?: boolean
  }
  /** Layers whose values are their keys before norm and rotation. */
  keyAsValue?: (layer: number) => boolean
  sharing?: (layer: number) => KeySharing | null
  clip?: number | null
  queryGrowth?: QueryGrowth
  scale?: (layer: number, sizes: Sizes) => number
  window?: (layer: number) => number | null
  softcap?: number | null
  alibi?: (sizes: Sizes) => Alibi
  /** Name in attention's module of the tensor of sinks. */
  sinks?: string
  /** Whether the query product also gives a gate on the heads' outputs. */
  gate?: Attention['gate']
  /** A layer's mixer; null, or no function, for attention as described here. */
  mixer?: (layer: number, parts: MixerParts) => Mixer | null
  mlp?: 'gated' | 'gated in one' | 'plain'
  /** Width of the MLP, if it is not what the config's key says. */
  mlpSize?: number | ((layer: number) => number)
  /** What a layer has instead of its MLP alone. */
  aroundMlp?: (mlp: Mlp, parts: ExpertParts) => Mlp
  /** Width of each layer's part of a second embedding, and rows of its table. */
  perLayerEmbeddings?: { size: number; vocabulary: number }
  /** Name of the tensor in each layer that the stream is multiplied by. */
  layerScalar?: string
  /** Width of the MLP if the config does not say, as a multiple of the hidden size. */
  innerMultiple?: number
  activation?: string
  /** A name that means something else in this family. */
  activationNames?: Partial<Record<string, Activation>>
  /** An activation with tensors of its own, instead of the one that the config names. */
  makeActivation?: (name: (tensor: string) => string) => Activation
  /** Modules of norms before the last product of attention, and of a gated MLP. */
  innerNorms?: { attention: string; mlp: string }
  experts?: (layer: number, parts: ExpertParts) => Experts | null
  extras?: RegExp[]
}

/** Makes the family's kind of norm; only norms of heads and of mixers have a size or form of their own. */
export type MakeNorm = (
  module: string,
  options?: { size?: number; bias?: boolean; weight?: boolean; weightOffset?: number; epsilon?: number },
) => Norm

/** What a family needs to describe a mixer other than attention. */
export interface MixerParts {
  sizes: Sizes
  activation: Activation
  /** Full name of a tensor or module of the layer. */
  name: (tensor: string) => string
  /** A product by its module's name in the layer; without bias unless that is stated. */
  linear: (module: string, inputs: number, outputs: number, bias?: boolean) => Linear
  /** Takes the module's full name. */
  makeNorm: MakeNorm
}

/** What a family needs to describe its experts. */
export interface ExpertParts {
  hidden: number
  activation: Activation
  /** Full name of a tensor of the layer. */
  name: (tensor: string) => string
  gated: (module: string, inner: number) => Mlp
  makeNorm: MakeNorm
}
