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

/** Names of modules, each relative to its parent: the model, a layer, or a layer's attention or MLP. */
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

/** Modules of a layer's norms that differ from Llama's. */
export type LayerNorms = Partial<typeof LLAMA_NORMS>

export const LLAMA_KEYS = {
  hidden: 'hidden_size',
  layers: 'num_hidden_layers',
  /** Null if the family has no attention. */
  heads: 'num_attention_heads' as string | null,
  /** Null if the family computes the number. */
  kvHeads: 'num_key_value_heads' as string | null,
  intermediateSize: 'intermediate_size',
  activation: 'hidden_act',
}

/** Sizes of a decoder; those of a layer can differ (`layerSizes`). */
export interface Sizes {
  hidden: number
  heads: number
  kvHeads: number
  headDim: number
  layers: number
}

/**
 * How a family differs from Llama, whose layer is: RMS norm, attention with rotary embedding, residual addition, RMS
 * norm, gated MLP, residual addition. Omitted fields are as in Llama.
 */
export interface Differences {
  /** Added to the family's prefix for the decoder's tensors, but not for the head. */
  decoderPrefix?: string
  names?: Partial<typeof LLAMA_NAMES>
  keys?: Partial<typeof LLAMA_KEYS>
  /** `name`: module of the head, default `lm_head`; `size`: number of logits, default the vocabulary. */
  head?: { name?: string; bias?: boolean; size?: number; scale?: number; softcap?: number | null }
  /** Number of layers, if the config's key does not give it. */
  layers?: number
  /** Default of `tie_word_embeddings`. */
  tied?: boolean
  /** Default number of key and value heads. */
  kvHeads?: number
  /** Default of `head_dim`. */
  headDim?: number
  /** Sizes per layer, if layers differ. */
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
    /** Width of the table, default the hidden size; `projections` map it to the hidden size and back. */
    size?: number
    projections?: { into: string; back: string }
  }
  /** Factor on the outputs of mixer and MLP before they are added to the residual stream. */
  residualMultiplier?: number
  /** Mixer and MLP are added to their normed inputs instead of the stream. */
  postNormResidual?: boolean
  /** The same factors, and factors on the stream itself, if they differ between layers or parts. */
  residual?: (layer: number) => Layer['residual']
  /** Which products have a bias. */
  bias?: { qkv?: boolean; output?: boolean; mlp?: boolean }
  /** Name in the attention module of a bias on the output product; null for layers without it. */
  outputBias?: (layer: number, sizes: Sizes) => string | null
  layout?: Exclude<Attention['projections']['layout'], 'key as value' | 'query only'>
  /** The layers' weights are stored as [inputs, outputs]. */
  transposed?: boolean
  /** Null for a layer without rotary embedding. */
  rope?: (layer: number, sizes: Sizes) => Rope | null
  /** Norms on queries and keys; null for layers without them. */
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
  /** Name in the attention module of the tensor of sinks; null for layers without it. */
  sinks?: string | ((layer: number) => string | null)
  /** Size of a head's value if it differs from its key's, and a factor on the values. */
  value?: { size: number; scale: number }
  /** Gate on the heads' outputs: part of the query product, or a module of its own. */
  gate?: 'fused with q' | GateModule | null
  /** A layer's mixer; null for layers with the attention described here. */
  mixer?: (layer: number, parts: MixerParts) => Mixer | null
  /** What is added to the mixer's input; null for layers without it. */
  preface?: (layer: number, parts: MixerParts) => Preface | null
  /** Which parts a layer has; both if omitted. */
  parts?: (layer: number) => { mixer: boolean; mlp: boolean }
  mlp?: 'gated' | 'gated in one' | 'plain'
  /** Factors on the outputs of a gated MLP's gate and down products. */
  mlpScales?: { gate: number; down: number }
  /** Width of the MLP, if the config's key does not give it. */
  mlpSize?: number | ((layer: number) => number)
  /** Wraps a layer's MLP, as Gemma 4 adds experts to it. */
  aroundMlp?: (mlp: Mlp, parts: ExpertParts) => Mlp
  /** Per-layer embeddings: width of each layer's part, and rows of the table. */
  perLayerEmbeddings?: { size: number; vocabulary: number }
  /** Name in each layer of a scalar tensor that multiplies the stream. */
  layerScalar?: string
  /** Default width of the MLP, as a multiple of the hidden size. */
  innerMultiple?: number
  /** Default of the config's activation. */
  activation?: string
  /** Activations by names that mean something else in this family. */
  activationNames?: Partial<Record<string, Activation>>
  /** An activation with parameters, instead of one that the config names. */
  makeActivation?: (name: (tensor: string) => string) => Activation
  /** Differential attention: `lambdaInit` of each layer. */
  differential?: (layer: number) => number
  /** Modules of norms before the output product of attention and the down product of a gated MLP. */
  innerNorms?: { attention: string; mlp: string }
  experts?: (layer: number, parts: ExpertParts) => Experts | null
  /** Layers for multi-token prediction that are stored after the last one and ignored; as the config says if omitted. */
  extraLayers?: number
  extras?: RegExp[]
  /** Longest text, in tokens, that sparse attention sees completely. */
  indexTopK?: number
}

/** Modules of the norms on queries and keys, relative to attention. */
export interface HeadNorms {
  span: HeadNorm['span']
  query: string
  key: string
  bias?: boolean
  /** False for norms without weights. */
  weight?: boolean
  afterRope?: boolean
  /** Values are normed too, without weights. */
  values?: boolean
}

/** A module of attention that gates the heads' outputs, with one number per head or per element. */
export interface GateModule {
  module: string
  span: 'head' | 'element'
  activation: 'sigmoid' | 'softplus'
}

/** Describes a norm of the family's kind. @param module its full name @param options overrides */
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
  /** @param module relative to the layer @param bias false if omitted */
  linear: (module: string, inputs: number, outputs: number, bias?: boolean) => Linear
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
