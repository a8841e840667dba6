import type {
  Activation,
  Alibi,
  Attention,
  Experts,
  HeadNorm,
  KeySharing,
  Layer,
  LearntPositions,
  Linear,
  Mixer,
  Mlp,
  Norm,
  Preface,
  Rope,
  Sinusoids,
  TemperatureScaling,
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
  /** Null if the family has no attention. */
  heads: 'num_attention_heads' as string | null,
  /** Null if the family derives the number in another way. */
  kvHeads: 'num_key_value_heads' as string | null,
  intermediateSize: 'intermediate_size',
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
  decoderPrefix?: string
  names?: Partial<typeof LLAMA_NAMES>
  keys?: Partial<typeof LLAMA_KEYS>
  /** Full name of the head's module, `lm_head`; number of tokens that it knows, if not all. */
  head?: { name?: string; bias?: boolean; size?: number; scale?: number; softcap?: number | null }
  /** Number of layers, if it is not what the config's key says. */
  layers?: number
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
  /** Factor on what mixer and MLP add to the residual stream. */
  residualMultiplier?: number
  /** Mixer and MLP are added to what their norms give. */
  postNormResidual?: boolean
  /** Factors on the stream and on what is added, if they differ between layers or parts. */
  residual?: (layer: number) => Layer['residual']
  /** Which products have a bias. */
  bias?: { qkv?: boolean; output?: boolean; mlp?: boolean }
  /** In the layers that have it, the name in attention's module of a bias on its last product. */
  outputBias?: (layer: number, sizes: Sizes) => string | null
  layout?: Exclude<Attention['projections']['layout'], 'key as value' | 'query only'>
  /** Weights of the layers are stored as [inputs, outputs]. */
  transposed?: boolean
  /** Null for a layer without rotary embedding. */
  rope?: (layer: number, sizes: Sizes) => Rope | null
  /** Norms on queries and keys; null for a layer without. */
  headNorm?: HeadNorms | ((layer: number) => HeadNorms | null)
  /** Layers whose values are their keys before norm and rotation. */
  keyAsValue?: (layer: number) => boolean
  sharing?: (layer: number) => KeySharing | null
  clip?: number | null
  temperatureScaling?: TemperatureScaling | ((layer: number) => TemperatureScaling | null)
  scale?: (layer: number, sizes: Sizes) => number
  window?: (layer: number) => number | null
  chunk?: (layer: number) => number | null
  softcap?: number | null
  alibi?: (sizes: Sizes) => Alibi
  /** Name in attention's module of the tensor of sinks; null for a layer without. */
  sinks?: string | ((layer: number) => string | null)
  /** Size of a head's value if it is not that of its key, and a factor on it. */
  value?: { size: number; scale: number }
  /** Whether the query product also gives a gate on the heads' outputs, or which module of attention does. */
  gate?: 'fused with q' | GateModule | null
  /** A layer's mixer; null, or no function, for attention as described here. */
  mixer?: (layer: number, parts: MixerParts) => Mixer | null
  /** In the layers that have it, what is added to the mixer's input. */
  preface?: (layer: number, parts: MixerParts) => Preface | null
  /** Which parts a layer has; both if omitted. */
  parts?: (layer: number) => { mixer: boolean; mlp: boolean }
  mlp?: 'gated' | 'gated in one' | 'plain'
  /** Factors on the outputs of a gated MLP's gate and last product. */
  mlpScales?: { gate: number; down: number }
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
  /** What is taken from the heads of the first half by those of the second, before the layer's factors. */
  differential?: (layer: number) => number
  /** Modules of norms before the last product of attention, and of a gated MLP. */
  innerNorms?: { attention: string; mlp: string }
  experts?: (layer: number, parts: ExpertParts) => Experts | null
  /** Layers for multi-token prediction, stored behind the last one and left alone. */
  extraLayers?: number
  extras?: RegExp[]
  /** Tokens of the longest text of which sparse attention sees all. */
  indexTopK?: number
}

/** Modules of attention with the norms on queries and keys. */
export interface HeadNorms {
  span: HeadNorm['span']
  query: string
  key: string
  bias?: boolean
  /** False if nothing is learnt. */
  weight?: boolean
  afterRope?: boolean
  /** Values are normed too, without weights. */
  values?: boolean
}

/** A module of attention whose product gates the heads' outputs, each by one number or each element by its own. */
export interface GateModule {
  module: string
  span: 'head' | 'element'
  activation: 'sigmoid' | 'softplus'
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
  /** Attention as the family's differences describe it. */
  attention: () => Attention
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
  gated: (module: string, intermediateSize: number) => Mlp
  makeNorm: MakeNorm
}
