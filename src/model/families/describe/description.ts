/**
 * What a decoder computes: every choice in which families differ, and the names of its tensors.
 * `builder/decoder.ts` turns any such description into a graph.
 */

/** A matrix product; the weight is [outputs, inputs] as in PyTorch's Linear, or [inputs, outputs] as in Conv1D. */
export interface Linear {
  weight: string
  bias: string | null
  inputs: number
  outputs: number
  /** The weight is [inputs, outputs]; `by shape`: unless its shape is [outputs, inputs]. */
  transposed?: boolean | 'by shape'
  /**
   * Weight and bias are slices of a tensor that fuses `count` experts: [count, outputs, inputs], or
   * [count, inputs, outputs] if transposed. `isFlat`: its first two axes are merged.
   */
  fused?: { count: number; index: number; isFlat?: boolean }
  /** A low-rank adapter, whose output is added. */
  adapter?: { into: Linear; back: Linear }
}

export interface Norm {
  /** `rms`: x / sqrt(mean(x^2) + epsilon); `layer` subtracts the mean first. */
  kind: 'rms' | 'layer'
  /** Null if the norm has no weight. */
  weight: string | null
  bias: string | null
  size: number
  epsilon: number
  /** Added to the stored weight; Gemma adds 1. */
  weightOffset: number
}

export type NamedActivation = 'silu' | 'gelu' | 'gelu_tanh' | 'quick_gelu' | 'relu' | 'relu2' | 'sigmoid' | 'tanh'

export type Activation = NamedActivation | Xielu

/** xIELU (Huang and Schlag 2024, arXiv 2411.13010); its parameters are tensors of the layer. */
export interface Xielu {
  kind: 'xielu'
  /** [1]: softplus(positive) is the factor on the square of positive inputs. */
  positive: string
  /** [1]: softplus(negative) + beta is the factor on negative inputs. */
  negative: string
  /** Scalars: the factor on the input itself, and the largest input that counts as negative. */
  beta: string
  epsilon: string
}

/** Rotary position embedding (Su et al. 2021, arXiv 2104.09864) with one of its scalings. */
export interface Rope {
  /** Number of leading elements of a head that are rotated. */
  dimensions: number
  /** Rotates the pairs (2i, 2i + 1) instead of (i, i + dimensions / 2). */
  interleaved: boolean
  /** Multiplies cosines and sines. */
  attentionFactor: number
  frequencies: RopeFrequencies
}

export type RopeFrequencies =
  | { kind: 'fixed'; perPair: number[] }
  /** Longrope: one set for texts of up to `longestShort` tokens, another for longer ones. */
  | {
      kind: 'two sets'
      short: number[]
      long: number[]
      longestShort: number
      /** Further factors on cosines and sines, if each set has its own. */
      factors?: { short: number; long: number }
    }
  /** Dynamic NTK: the base grows with the text's length if that exceeds `positions`. */
  | { kind: 'growing base'; base: number; factor: number; positions: number }

/**
 * A norm on queries or keys: over each head with a shared weight (`head`), over all heads at once (`all heads`), or over
 * each head with its own weight (`each head`), stored as a row of one tensor or as one tensor per head.
 */
export type HeadNorm =
  | { span: 'head' | 'all heads'; norm: Norm }
  | { span: 'each head'; norm: Norm; weight: string | ((head: number) => string) }

/**
 * The products that give queries, keys and values:
 * - `separate`: one for each;
 * - `key as value`: values are the keys before norm and rotation;
 * - `query only`: keys and values come from an earlier layer;
 * - `qkv`: one product gives all queries, then all keys, then all values;
 * - `qkv per group`: one product gives, for each key head, its queries, key and value (Falcon, GPT-NeoX);
 * - `qvk per quarter`: one product gives, for each quarter of the heads, its queries, values and keys (CodeGen).
 */
export type Projections =
  | { layout: 'separate'; query: Linear; key: Linear; value: Linear }
  | { layout: 'key as value'; query: Linear; key: Linear }
  | { layout: 'query only'; query: Linear }
  | { layout: 'qkv' | 'qkv per group' | 'qvk per quarter'; packed: Linear }

/** The part of a layer that mixes information across tokens. */
export type Mixer =
  | Attention
  | GatedDeltaNet
  | GatedRecurrence
  | LatentAttention
  | LightningAttention
  | Mamba
  | Mamba2
  | ParallelMixers
  | ShortConvolution

export interface Attention {
  kind: 'attention'
  heads: number
  kvHeads: number
  headDim: number
  /** Size of a head's value; `headDim` if omitted. */
  valueDim?: number
  /** Factor on values; 1 if omitted. */
  valueScale?: number
  projections: Projections
  /**
   * Multiplies the heads' outputs. `fused with q`: the query product gives each head its query, then its gate before
   * the sigmoid, of the same size.
   */
  gate: 'fused with q' | OutputGate | null
  output: Linear
  /** Null if the layer has no rotary embedding. */
  rope: Rope | null
  queryNorm: HeadNorm | null
  keyNorm: HeadNorm | null
  valueNorm: HeadNorm | null
  /** Queries and keys are normed after the rotation instead of before it. */
  normAfterRope: boolean
  /** Queries, keys and values are clipped to [-clip, clip]. */
  clip: number | null
  /** Scales queries by their position. */
  temperatureScaling: TemperatureScaling | null
  /** Factor on the scores. */
  scale: number
  /** A token sees itself and the `window - 1` tokens before it. */
  window: number | null
  /** Tokens are split into chunks of this many; a token sees only itself and earlier tokens of its chunk. */
  chunk: number | null
  /** Scores become cap * tanh(score / cap). */
  softcap: number | null
  alibi: Alibi | null
  /** Tensor [heads] of attention sinks: an extra logit per head in the softmax, without a value; null if there are none. */
  sinks: string | null
  /** A norm over all heads before the output product. */
  outputNorm: Norm | null
  /** Null for ordinary attention. */
  differential: Differential | null
  sharing: KeySharing | null
}

/**
 * Differential attention (Ye et al. 2024, arXiv 2410.05258): lambda = exp(a . b) - exp(c . d) + lambdaInit; lambda times
 * half of the heads is subtracted from the other half.
 */
export interface Differential {
  /** Names of vectors [headDim]. */
  factors: [[a: string, b: string], [a: string, b: string]]
  /** Depends on the layer's number; the difference is multiplied by 1 - lambdaInit. */
  lambdaInit: number
  /** Over two heads side by side. */
  norm: Norm
}

/** A gate computed from the layer's input: one factor for each head, or for each element of the heads' outputs. */
export interface OutputGate {
  product: Linear
  activation: 'sigmoid' | 'softplus'
}

/** Cross-layer KV sharing: a producer's keys and values are reused by later layers of the same kind. */
export interface KeySharing {
  role: 'producer' | 'consumer'
  kind: string
}

/** Multiplies the query at each position by 1 + rate * ln(1 + floor((position + offset) / period)). */
export interface TemperatureScaling {
  rate: number
  period: number
  offset: number
}

/**
 * Linear attention by the gated delta rule (Yang et al. 2024, arXiv 2412.06464). Each value head has a state
 * [keyDim, valueDim]. Each token multiplies it by its decay, then moves the value stored under its key towards its own
 * value by a fraction beta.
 */
export interface GatedDeltaNet {
  kind: 'delta'
  /** Heads of queries and keys; each serves `valueHeads / keyHeads` consecutive value heads. */
  keyHeads: number
  valueHeads: number
  /** Sizes of a head. */
  keyDim: number
  valueDim: number
  projections: GatedDeltaNetProjections
  /** Over the concatenated queries, keys and values. */
  convolution: Convolution
  activation: Activation
  decay: Decay
  /** Factor on the sigmoid that gives beta. */
  betaScale: number
  /** Over each head's output, before it is multiplied by the activated gate. */
  norm: Norm
  gateActivation: Activation
  output: Linear
}

/**
 * The decay of a state: exp(-exp(rate) * softplus(product + bias)), or with a bound
 * exp(bound * sigmoid(exp(rate) * (product + bias))).
 */
export interface Decay {
  /** Tensor with one number per value head. */
  rate: string
  rateShape: number[]
  bias: string
  /** Product and bias have one number for each element of a head's key, instead of one per head. */
  perElement: boolean
  bound: number | null
}

/**
 * Products of the layer's input. `qkv`: all queries, all keys, then all values, from one product or several; gate and
 * decay may each be a chain of products. `qkv per group`: for each key head, one product gives its query, key, values
 * and gates, the other its betas and decays.
 */
export type GatedDeltaNetProjections =
  | { layout: 'qkv'; queriesKeysValues: Linear[]; gate: Linear[]; beta: Linear; decay: Linear[] }
  | { layout: 'qkv per group'; mixed: Linear; rates: Linear }

/**
 * Multi-head latent attention (DeepSeek 2024, arXiv 2405.04434): the keys and values of all heads are expanded from one
 * narrow latent.
 */
export interface LatentAttention {
  kind: 'latent'
  heads: number
  /** Elements of a head's query and key: those of its own, then those that the keys of all heads share. */
  ownDim: number
  sharedDim: number
  valueDim: number
  /** One product, or two around a norm. */
  query: Linear | { down: Linear; norm: Norm; up: Linear }
  /** Gives the latent, then the shared elements of the keys. */
  compressed: Linear
  latentNorm: Norm
  /** Gives each head its own elements of the key, then its value. */
  expanded: Linear
  /** One number per head; its sigmoid multiplies the head's output. */
  gate: Linear | null
  output: Linear
  /** Rotates the shared elements of queries and keys; null if the layer has no rotary embedding. */
  rope: Rope | null
  /** Factor on the scores. */
  scale: number
}

/**
 * Linear attention in blocks of tokens (Qin et al. 2024, arXiv 2405.17381): each further token multiplies a key's weight
 * by the head's constant factor.
 */
export interface LightningAttention {
  kind: 'lightning'
  heads: number
  headDim: number
  /** Gives each head its query, its key and its value. */
  packed: Linear
  /** Applied to queries, keys and values. */
  activation: Activation
  /** Tokens per block. */
  block: number
  decay: LightningDecay
  /** Over all heads, before their outputs are multiplied by the sigmoid of the gate. */
  norm: Norm
  gate: Linear
  output: Linear
}

/**
 * How fast each head forgets: `rates` are the negative logarithms of the factor per token. Stored decays also name the
 * tensors derived from the rates, because each was rounded on its own.
 */
export type LightningDecay =
  | { kind: 'computed'; rates: number[] }
  | {
      kind: 'stored'
      /** [heads, 1, 1] */
      rates: string
      /** [heads, block, 1]: factors on a block's queries for reading the state of earlier blocks. */
      queries: string
      /** [heads, block, 1]: factors on a block's keys when the state is updated; a shorter block uses the last ones. */
      keys: string
      /** [1, heads, block, block]: factors on the scores within a block. */
      scores: string
    }

/** A gated convolution (LFM): a product of the input gives B, C and x; C * convolution(B * x) enters the output product. */
export interface ShortConvolution {
  kind: 'convolution'
  /** B, C and x, in this order. */
  inputs: Linear
  convolution: Convolution
  output: Linear
}

/**
 * Mamba-2, a state space with token-dependent decay (Dao and Gu 2024, arXiv 2405.21060). Each head has a state
 * [stateSize, headDim]. A token with time step t multiplies it by exp(-exp(rate) * t), adds the outer product of B and
 * t * x, and reads it with C.
 */
export interface Mamba2 {
  kind: 'mamba2'
  heads: number
  headDim: number
  /** Groups of consecutive heads that share B and C. */
  groups: number
  stateSize: number
  /** Gate, x, B, C and time steps, in this order. */
  inputs: Linear
  /** Factors on these five parts. */
  inputScales: number[]
  /** Over the concatenated x, B and C. */
  convolution: Convolution
  activation: Activation
  /** The time step is softplus(product + bias), clamped to [least, most]; `most` is Infinity without a limit. */
  timeStep: { bias: string; least: number; most: number }
  /** [heads]. */
  rate: string
  /** [heads]: skip * x is added to the output. */
  skip: string
  /** RMS norm over each group's outputs, after or before they are multiplied by silu(gate); null without a norm. */
  norm: { weight: string; groups: number; epsilon: number; beforeGate: boolean } | null
  output: Linear
}

/**
 * Mamba, the first state space with token-dependent decay (Gu and Dao 2023, arXiv 2312.00752): each channel has its own
 * time step and `stateSize` numbers of state, each with its own rate.
 */
export interface Mamba {
  kind: 'mamba'
  channels: number
  stateSize: number
  /** x and gate, in this order. */
  inputs: Linear
  /** Over x. */
  convolution: Convolution
  activation: Activation
  /** From x: the low-rank time steps, B and C, in this order. */
  parameters: Linear
  /** Norms on those three; null without norms. */
  norms: { timeStep: Norm; b: Norm; c: Norm } | null
  /** Expands the time steps to all channels; softplus is applied after its bias. */
  timeStep: Linear
  /** [channels, stateSize]. */
  rate: string
  /** [channels]: skip * x is added to the output. */
  skip: string
  output: Linear
}

/**
 * The real-gated linear recurrent unit of Griffin (De et al. 2024, arXiv 2402.19427): each channel has one number of
 * state. A token multiplies it by a = exp(-sharpness * sigmoid(gate) * softplus(rate)) and adds its gated input times
 * sqrt(1 - a^2); the first token adds its gated input as it is.
 */
export interface GatedRecurrence {
  kind: 'recurrence'
  channels: number
  /** Input of the convolution, whose output enters the recurrence. */
  input: Linear
  convolution: Convolution
  /** Its activated outputs multiply the states. */
  gate: Linear
  activation: Activation
  /** Number of blocks of consecutive channels. */
  blocks: number
  /** Block-diagonal products of the convolution's output: gates on the recurrence's input and on its decay. */
  inputGate: BlockProduct
  decayGate: BlockProduct
  /** [channels] */
  rate: string
  sharpness: number
  output: Linear
}

/** Names of a weight [blocks, inputs, outputs] and a bias [blocks, outputs]. */
export interface BlockProduct {
  weight: string
  bias: string
}

/** Mixers that read the same input and whose outputs are summed. */
export interface ParallelMixers {
  kind: 'parallel'
  /** Factors on the input and the output of each. */
  branches: { mixer: Mixer; inputScale: number; outputScale: number }[]
}

/** A causal depthwise convolution over the token itself and the `size - 1` tokens before it. */
export interface Convolution {
  channels: number
  /** [channels, 1, size], possibly split along the channels. */
  weights: string[]
  bias: string | null
  size: number
}

/** ALiBi, a bias on the scores that grows with a key's position (Press et al. 2021, arXiv 2108.12409). */
export interface Alibi {
  /** Growth per token, one number per head. */
  slopes: number[]
  /** Slopes, positions and their products are rounded to bfloat16, whatever the model's dtype. */
  inBfloat16: boolean
  /** Factor on the products. */
  scale: number
}

export type Mlp =
  | { kind: 'plain'; up: Linear; activation: Activation; down: Linear }
  | {
      kind: 'gated'
      gate: Linear
      up: Linear
      activation: Activation
      down: Linear
      bounds?: GateBounds
      /** A norm before the down product. */
      innerNorm?: Norm
      /** Factors on the outputs of the gate product and the down product. */
      scales?: { gate: number; down: number }
    }
  /** One matrix holds the gate and up projections: its two halves, or alternating rows if interleaved. */
  | {
      kind: 'gated in one'
      gateUp: Linear
      interleaved?: true
      activation: Activation
      bounds?: GateBounds
      down: Linear
    }
  | { kind: 'experts'; experts: Experts }
  /** The sum of parallel MLPs, each with its own norms. */
  | { kind: 'sum'; parts: { before: Norm | null; mlp: Mlp; after: Norm | null }[] }

export type GatedMlp = Extract<Mlp, { kind: 'gated' }>

/** The gate is at most `limit` before its activation; the up projection is clamped to [-limit, limit], then grows by 1. */
export interface GateBounds {
  limit: number
}

export interface Experts {
  router: Linear
  count: number
  topK: number
  routing: Routing
  /** Products before and after the experts, which then work in a latent space of their own width. */
  latent?: { into: Linear; back: Linear } | null
  /** Norms on the router's input, which is then multiplied by `routerScale`, and on the experts' input. */
  norms?: { router: Norm; routerScale: number; experts: Norm }
  expert: (index: number) => Mlp
  shared: SharedExpert | null
}

/** An MLP that every token passes through, weighted by sigmoid(gate) if there is a gate. */
export interface SharedExpert {
  mlp: Mlp
  gate: Linear | null
  /** Factor on its outputs; 1 if omitted. */
  scale?: number
}

/** How the router's outputs select and weight experts. */
export type Routing = LargestScores | SparseMixer

/** Selects the experts with the largest scores. */
export interface LargestScores {
  /** A softmax over all experts, or the sigmoid of each. */
  scores: 'softmax' | 'sigmoid'
  /** Tensor [count] added to the scores for selection only, not for weighting (`e_score_correction_bias`). */
  correctionBias: string | null
  /** The bias is added to the router's outputs instead of the scores, and the largest of these are selected. */
  biasesOutputs?: boolean
  /** Only experts of the best groups can be selected. */
  groups?: ExpertGroups | null
  /** The selected scores are divided by max(sum + sumEpsilon, leastSum); null if they are used as they are. */
  normalized: { sumEpsilon: number; leastSum?: number } | null
  /** Factor on the experts' weights. */
  scale: number
  /** Weights multiply the experts' inputs instead of their outputs. */
  weighsInputs?: boolean
  /** The router's outputs become cap * tanh(output / cap). */
  cap?: number | null
  /** Tensor [count] of further factors. */
  expertScales?: string
}

/** Groups of consecutive experts, all of equal size. */
export interface ExpertGroups {
  count: number
  /** Number of groups whose experts can be selected. */
  kept: number
  /** A group's score is the sum of this many of its largest scores, bias included. */
  scoredBy: number
}

/**
 * SparseMixer (Liu et al. 2023, arXiv 2310.00811): two experts, each weighted by a softmax over the experts not yet
 * selected whose logit is near the largest.
 */
export interface SparseMixer {
  scores: 'sparse mixer'
  /** Largest relative distance that counts as near. */
  nearness: number
}

/**
 * Attention and an MLP over the concatenated stream and embeddings (Zamba). The result is added to the input of the
 * mixer's norm, not to the stream.
 */
export interface Preface {
  /** Over stream and embeddings, 2 * hidden size. */
  norm: Norm
  attention: Attention
  mlpNorm: Norm
  mlp: Mlp
  output: Linear
}

/** Mixer and MLP are null if the layer has none. */
export interface Layer {
  preface: Preface | null
  mixer: Mixer | null
  mlp: Mlp | null
  norms: {
    beforeMixer: Norm | null
    afterMixer: Norm | null
    beforeMlp: Norm | null
    afterMlp: Norm | null
    /** Norms of the residual stream itself, after the mixer or MLP was added. */
    streamAfterMixer: Norm | null
    streamAfterMlp: Norm | null
  }
  /** Mixer and MLP read the same state instead of running in sequence; they share one norm if `beforeMlp` is null. */
  parallel: boolean
  /** Mixer and MLP are added to the normed stream that they read, not to the stream before the norm. */
  postNormResidual: boolean
  residual: { mixer: Residual; mlp: Residual }
  perLayerEmbedding: PerLayerEmbedding | null
  /** Tensor [1]: factor on the residual stream at the end of the layer. */
  scalar: string | null
}

/** stream * state + added * output. */
export interface Residual {
  stream: number
  added: number
}

/**
 * What a layer adds after its MLP: norm(projection(activation(gate(stream)) * the layer's part of the per-layer
 * embedding)).
 */
export interface PerLayerEmbedding {
  gate: Linear
  activation: Activation
  projection: Linear
  norm: Norm
}

/**
 * A second embedding with `size` numbers per layer: (scale * the token's row + norm(projectionScale *
 * projection(state 0))) / sqrt(2).
 */
export interface PerLayerEmbeddings {
  /** [vocabulary, layers * size] */
  weight: string
  vocabulary: number
  size: number
  scale: number
  /** Gives the parts of all layers. */
  projection: Linear
  projectionScale: number
  norm: Norm
}

/** Learnt position embeddings; row `offset` belongs to the first token. */
export interface LearntPositions {
  kind: 'learnt'
  weight: string
  count: number
  offset: number
}

/** Sines, then cosines, of position * frequency (Vaswani et al. 2017, arXiv 1706.03762). */
export interface Sinusoids {
  kind: 'sinusoids'
  /** Hidden size / 2 frequencies. */
  frequencies: number[]
  /** Position of the first token. */
  offset: number
  /** Position whose embedding is zero; null if there is none. */
  empty: number | null
}

export interface Decoder {
  vocabulary: number
  hiddenSize: number
  embedding: {
    weight: string
    /** Width of the table. */
    size: number
    /** Maps the table's width to the hidden size; null if they are equal. */
    projection: Linear | null
    scale: number
    norm: Norm | null
    positions: LearntPositions | Sinusoids | null
  }
  perLayerEmbeddings: PerLayerEmbeddings | null
  layers: Layer[]
  finalNorm: Norm | null
  /** Null if the checkpoint was saved without a language model head. */
  head: {
    /** Maps the final state to the width of the embedding table; null if they are equal. */
    projection: Linear | null
    linear: Linear
    /** Factor on the logits. */
    scale: number
    /** Logits become cap * tanh(logit / cap). */
    softcap: number | null
  } | null
  /** Names of tensors that may be in a checkpoint and are not used. */
  extras: RegExp[]
  /** Attention is sparse in texts longer than this many tokens (`index_topk`); null if it never is. */
  indexTopK: number | null
}
