/**
 * What a decoder computes, as the family table states it: every choice in which families differ, with the names
 * of the tensors that take part. `decoder.ts` writes any such description as a graph.
 */

/** A matrix product; the weight is [outputs, inputs] as in PyTorch's Linear, or [inputs, outputs] as in Conv1D. */
export interface Linear {
  weight: string
  bias: string | null
  inputs: number
  outputs: number
  /** `by shape`: unless the tensor has the shape of Linear. */
  transposed?: boolean | 'by shape'
  /**
   * The weight is that of one of several fused experts [count, outputs, inputs], or [count, inputs, outputs] if transposed; so is the bias.
   * `isFlat`: the first two axes are one.
   */
  fused?: { count: number; index: number; isFlat?: boolean }
  /** Two products in a row, of a lower rank, whose output is added. */
  adapter?: { into: Linear; back: Linear }
}

export interface Norm {
  /** `rms`: divided by the root of the mean square; `layer`: centred first. */
  kind: 'rms' | 'layer'
  /** Null if nothing is learnt. */
  weight: string | null
  bias: string | null
  size: number
  epsilon: number
  /** Added to the stored weight, as Gemma's 1. */
  weightOffset: number
}

export type NamedActivation =
  | 'silu'
  | 'gelu'
  | 'gelu_tanh'
  | 'quick_gelu'
  | 'relu'
  | 'relu2'
  | 'sigmoid'
  | 'tanh'

export type Activation = NamedActivation | Xielu

/** xIELU (Huang and Schlag 2024, arXiv 2411.13010), whose numbers are tensors of the layer. */
export interface Xielu {
  kind: 'xielu'
  /** [1]: softplus gives the factor on the square of positive inputs. */
  positive: string
  /** [1]: softplus, plus `beta`, gives the factor on negative inputs. */
  negative: string
  /** Scalars: the factor on the input itself, and the largest input that counts as negative. */
  beta: string
  epsilon: string
}

/** Rotary position embedding (Su et al. 2021, arXiv 2104.09864) with one of its scalings. */
export interface Rope {
  /** Leading elements of a head that are rotated; the others pass unchanged. */
  dimensions: number
  /** Pairs are neighbours (2i, 2i + 1) instead of (i, i + dimensions / 2). */
  interleaved: boolean
  /** Factor on cosines and sines. */
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
      /** Factors on cosines and sines if each set has its own, beside `attentionFactor`. */
      factors?: { short: number; long: number }
    }
  /** Dynamic NTK: the base grows with the text's length if that exceeds `positions`. */
  | { kind: 'growing base'; base: number; factor: number; positions: number }

/**
 * A norm on queries or keys: over each head with one weight for all (`head`), over all heads at once, or over each
 * head with a weight of its own, as rows of one tensor or as one tensor per head.
 */
export type HeadNorm =
  | { span: 'head' | 'all heads'; norm: Norm }
  | { span: 'each head'; norm: Norm; weight: string | ((head: number) => string) }

/**
 * Where queries, keys and values come from: three products, two if values are keys before their norm and rotation
 * (`key as value`), one if keys and values are those of an earlier layer (`query only`), or one whose outputs are all queries, then all keys,
 * then all values (`qkv`), or for each key head its queries, its key and its value (`qkv per group`), or for each
 * quarter of the heads its queries, its values and its keys (`qvk per quarter`).
 */
export type Projections =
  | { layout: 'separate'; query: Linear; key: Linear; value: Linear }
  | { layout: 'key as value'; query: Linear; key: Linear }
  | { layout: 'query only'; query: Linear }
  | { layout: 'qkv' | 'qkv per group' | 'qvk per quarter'; packed: Linear }

/** The part of a layer in which tokens see those before them. */
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
  /** Size of a head's value if it is not that of its key. */
  valueDim?: number
  /** Factor on values; 1 if omitted. */
  valueScale?: number
  projections: Projections
  /**
   * What the heads' outputs are multiplied by; `fused with q`: the query product gives each head its query, then as
   * many numbers whose sigmoid that is.
   */
  gate: 'fused with q' | OutputGate | null
  output: Linear
  /** Null if the layer has no position embedding of its own. */
  rope: Rope | null
  queryNorm: HeadNorm | null
  keyNorm: HeadNorm | null
  valueNorm: HeadNorm | null
  /** The norms come after the rotation. */
  normAfterRope: boolean
  /** Queries, keys and values are clipped to [-clip, clip]. */
  clip: number | null
  /** Queries grow with their position. */
  temperatureScaling: TemperatureScaling | null
  /** Factor on the scores. */
  scale: number
  /** A token sees itself and the `window - 1` tokens before it. */
  window: number | null
  /** A token sees itself and those before it in the same run of `chunk` tokens, counted from the first. */
  chunk: number | null
  /** Scores become cap * tanh(score / cap). */
  softcap: number | null
  alibi: Alibi | null
  /** Tensor [heads] of logits that take part in the softmax beside the scores and carry no value; null if none do. */
  sinks: string | null
  /** A norm over all heads before the output's product. */
  outputNorm: Norm | null
  /** Heads are taken in pairs; null if each is by itself. */
  differential: Differential | null
  sharing: KeySharing | null
}

/**
 * Differential attention (Ye et al. 2024, arXiv 2410.05258): lambda = exp(a . b) - exp(c . d) + lambdaInit; lambda times
 * half of the heads is subtracted from the other half.
 */
export interface Differential {
  /** Names of vectors of the size of a head. */
  factors: [[a: string, b: string], [a: string, b: string]]
  /** Depends on the layer's number; the difference is multiplied by 1 - lambdaInit. */
  lambdaInit: number
  /** Over two heads side by side. */
  norm: Norm
}

/** An activation of a product of the layer's input: a factor for each element of the heads' outputs, or for each head. */
export interface OutputGate {
  product: Linear
  activation: 'sigmoid' | 'softplus'
}

/** Keys and values that one layer makes and later ones of its kind read instead of making their own. */
export interface KeySharing {
  role: 'producer' | 'consumer'
  kind: string
}

/** The query at a position is multiplied by 1 + rate * ln(1 + floor((position + offset) / period)). */
export interface TemperatureScaling {
  rate: number
  period: number
  offset: number
}

/**
 * Linear attention by the gated delta rule (Yang et al. 2024, arXiv 2412.06464). Each value head has a state of
 * [key size, value size]; a token shrinks it by its decay and moves what it holds for the token's key towards the
 * token's value by a part beta.
 */
export interface GatedDeltaNet {
  kind: 'delta'
  /** Heads of queries and keys; each serves `valueHeads / keyHeads` neighbouring value heads. */
  keyHeads: number
  valueHeads: number
  /** Sizes of a head. */
  keyDim: number
  valueDim: number
  projections: GatedDeltaNetProjections
  /** Runs over queries, keys and values side by side. */
  convolution: Convolution
  activation: Activation
  decay: Decay
  /** Factor on the sigmoid that gives beta. */
  betaScale: number
  /** Over each head's output, which is then multiplied by the gate's activation. */
  norm: Norm
  gateActivation: Activation
  output: Linear
}

/**
 * A state is multiplied by exp(-exp(rate) * softplus(product + bias)), or, if there is a bound, by
 * exp(bound * sigmoid(exp(rate) * (product + bias))).
 */
export interface Decay {
  /** One number for each value head. */
  rate: string
  rateShape: number[]
  bias: string
  /** A head has a product and a bias for each element of its key, instead of one of each. */
  perElement: boolean
  bound: number | null
}

/**
 * Products of the layer's input: `qkv`, all queries, all keys, then all values, from one product or several; or
 * two products, whose outputs are for each key head its query, key, values and gates, and its betas and decays. Gate
 * and decay can take several products, one after the other.
 */
export type GatedDeltaNetProjections =
  | { layout: 'qkv'; queriesKeysValues: Linear[]; gate: Linear[]; beta: Linear; decay: Linear[] }
  | { layout: 'qkv per group'; mixed: Linear; rates: Linear }

/**
 * Multi-head latent attention (DeepSeek 2024, arXiv 2405.04434): keys and values of all heads come from one narrow
 * latent.
 */
export interface LatentAttention {
  kind: 'latent'
  heads: number
  /** Elements of a head's query and key: its own, then those that the keys of all heads share. */
  ownDim: number
  sharedDim: number
  valueDim: number
  /** One product, or two around a norm. */
  query: Linear | { down: Linear; norm: Norm; up: Linear }
  /** Gives the latent, then the shared elements of the keys. */
  compressed: Linear
  latentNorm: Norm
  /** Gives for each head its own elements of the key, then its value. */
  expanded: Linear
  /** Gives for each head a number whose sigmoid its output is multiplied by. */
  gate: Linear | null
  output: Linear
  /** Of the shared elements, in queries too; null if the layer has no position embedding of its own. */
  rope: Rope | null
  /** Factor on the scores. */
  scale: number
}

/**
 * Linear attention in blocks of tokens (Qin et al. 2024, arXiv 2405.17381): a key counts for less by the same factor
 * with each token after it.
 */
export interface LightningAttention {
  kind: 'lightning'
  heads: number
  headDim: number
  /** Gives each head its query, its key and its value. */
  packed: Linear
  /** Of all three. */
  activation: Activation
  /** Tokens of a block. */
  block: number
  decay: LightningDecay
  /** Over all heads, whose outputs are then multiplied by the sigmoid of the gate. */
  norm: Norm
  gate: Linear
  output: Linear
}

/**
 * How much each head forgets from token to token: the negative logarithm of the factor, or the names of tensors that
 * hold it and what follows from it, rounded as each was stored.
 */
export type LightningDecay =
  | { kind: 'computed'; rates: number[] }
  | {
      kind: 'stored'
      /** [heads, 1, 1] */
      rates: string
      /** [heads, block, 1]: factors on the queries of a block if what they read is older. */
      queries: string
      /** [heads, block, 1]: factors on the keys of a block for what comes later; a shorter block has the last ones. */
      keys: string
      /** [1, heads, block, block]: factors on the scores within a block. */
      scores: string
    }

/** A product of the input gives three tensors, B, C and x; the output is a product of C * convolution(B * x). */
export interface ShortConvolution {
  kind: 'convolution'
  /** B, C and x, in this order. */
  inputs: Linear
  convolution: Convolution
  output: Linear
}

/**
 * A state space whose decays depend on the token (Dao and Gu 2024, arXiv 2405.21060). Each head has a state of
 * [state size, head size]; a token with the time step t multiplies it by exp(-exp(rate) * t) and adds B times t * x; C
 * reads it.
 */
export interface Mamba2 {
  kind: 'mamba2'
  heads: number
  headDim: number
  /** Groups of neighbouring heads that share B and C. */
  groups: number
  stateSize: number
  /** Gate, x, B, C and time steps, in this order. */
  inputs: Linear
  /** Factors on the five parts of the product. */
  inputScales: number[]
  /** Runs over x, B and C side by side. */
  convolution: Convolution
  activation: Activation
  /** The time step is softplus(product + bias), but within limits; Infinity if there is none. */
  timeStep: { bias: string; least: number; most: number }
  /** [heads]. */
  rate: string
  /** [heads]: factor on x, which is added to what C reads. */
  skip: string
  /** Each group's outputs are normed, after or before they are multiplied by the gate's SiLU; null without a norm. */
  norm: { weight: string; groups: number; epsilon: number; beforeGate: boolean } | null
  output: Linear
}

/**
 * The first state space whose decays depend on the token (Gu and Dao 2023, arXiv 2312.00752): each channel has a state
 * of numbers, each with a rate of its own, and a time step of its own.
 */
export interface Mamba {
  kind: 'mamba'
  channels: number
  stateSize: number
  /** x and gate, in this order. */
  inputs: Linear
  /** Runs over x. */
  convolution: Convolution
  activation: Activation
  /** From x: what gives the time steps, B and C, in this order. */
  parameters: Linear
  /** Norms on what gives the time steps, on B and on C. */
  norms: { timeStep: Norm; b: Norm; c: Norm } | null
  /** Its bias is inside the softplus that gives the time steps. */
  timeStep: Linear
  /** [channels, state size]. */
  rate: string
  /** [channels]: factor on x, which is added to what C reads. */
  skip: string
  output: Linear
}

/**
 * The real-gated linear recurrence of Griffin (De et al. 2024, arXiv 2402.19427): each channel has a state of one
 * number. A token multiplies it by a = exp(-sharpness * sigmoid(gate) * softplus(rate)) and adds its own gated number
 * times sqrt(1 - a squared), the first token without that factor.
 */
export interface GatedRecurrence {
  kind: 'recurrence'
  channels: number
  /** Gives what convolution and recurrence run over. */
  input: Linear
  convolution: Convolution
  /** Gives what the states are multiplied by once it is activated. */
  gate: Linear
  activation: Activation
  /** Blocks of neighbouring channels. */
  blocks: number
  /** Products of the convolution's output within each block: gates on the recurrence's input and on its decay. */
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

/** Mixers that read the same input, and whose outputs are summed. */
export interface ParallelMixers {
  kind: 'parallel'
  /** Factors on the input and the output of each. */
  branches: { mixer: Mixer; inputScale: number; outputScale: number }[]
}

/** A convolution of each channel over the token itself and the `size - 1` tokens before it. */
export interface Convolution {
  channels: number
  /** [channels, 1, size], or several that follow each other. */
  weights: string[]
  bias: string | null
  size: number
}

/** A bias on the scores that grows with a key's position (Press et al. 2021, arXiv 2108.12409). */
export interface Alibi {
  /** Growth per token, one value for each head. */
  slopes: number[]
  /** Slopes, positions and their products are rounded to bfloat16, whatever the dtype of the rest. */
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
      /** A norm before the last product. */
      innerNorm?: Norm
      /** Factors on the outputs of the gate's and the last product. */
      scales?: { gate: number; down: number }
    }
  /** Gate and up projection are the two halves of one matrix, or its rows by turns. */
  | {
      kind: 'gated in one'
      gateUp: Linear
      interleaved?: true
      activation: Activation
      bounds?: GateBounds
      down: Linear
    }
  | { kind: 'experts'; experts: Experts }
  /** The sum of MLPs side by side, each between norms of its own. */
  | { kind: 'sum'; parts: { before: Norm | null; mlp: Mlp; after: Norm | null }[] }

export type GatedMlp = Extract<Mlp, { kind: 'gated' }>

/** The gate is at most `limit` before its activation, the other projection within [-limit, limit] and then grown by 1. */
export interface GateBounds {
  limit: number
}

export interface Experts {
  router: Linear
  count: number
  topK: number
  routing: Routing
  /** Products before and after the experts, which then have a width of their own. */
  latent?: { into: Linear; back: Linear } | null
  /** Norms of what the router reads, which is then multiplied by a factor, and of what the experts read. */
  norms?: { router: Norm; routerScale: number; experts: Norm }
  /** The experts' own MLP. */
  expert: (index: number) => Mlp
  shared: SharedExpert | null
}

/** An MLP that every token passes through, weighted by the sigmoid of a product if there is a gate. */
export interface SharedExpert {
  mlp: Mlp
  gate: Linear | null
  /** Factor on its outputs; 1 if omitted. */
  scale?: number
}

/** How the router's outputs choose experts and weigh them. */
export type Routing = LargestScores | SparseMixer

/** The experts of the largest scores. */
export interface LargestScores {
  /** A softmax over all experts, or the sigmoid of each. */
  scores: 'softmax' | 'sigmoid'
  /** Added to the scores, one number for each expert, to choose by but not to weigh by. */
  correctionBias: string | null
  /** The bias is added to the router's outputs, of which the largest are chosen, instead of the scores. */
  biasesOutputs?: boolean
  /** If only experts of the best groups can be chosen. */
  groups?: ExpertGroups | null
  /** Whether the chosen experts' scores are scaled to a sum of one, what is added to their sum before, and its least. */
  normalized: { sumEpsilon: number; leastSum?: number } | null
  /** Factor on the weights. */
  scale: number
  /** The experts' inputs are weighed instead of their outputs. */
  weighsInputs?: boolean
  /** The router's outputs become cap * tanh(output / cap). */
  cap?: number | null
  /** Tensor of a further factor for each expert. */
  expertScales?: string
}

/** Neighbouring experts in groups of equal size. */
export interface ExpertGroups {
  count: number
  /** Groups whose experts can be chosen. */
  kept: number
  /** A group's score is the sum of that many of its largest scores, the bias included. */
  scoredBy: number
}

/**
 * SparseMixer (Liu et al. 2023, arXiv 2310.00811): two experts, each weighted by the softmax over those not yet
 * chosen whose logit is near the largest.
 */
export interface SparseMixer {
  scores: 'sparse mixer'
  /** The largest relative distance that is near. */
  nearness: number
}

/**
 * Attention and an MLP that read the stream and the embeddings side by side; the result is added to what the mixer's
 * norm reads, not to the stream.
 */
export interface Preface {
  /** Over the stream and the embeddings, of twice the hidden size. */
  norm: Norm
  attention: Attention
  mlpNorm: Norm
  mlp: Mlp
  output: Linear
}

/** Mixer or MLP is null if the layer has none. */
export interface Layer {
  preface: Preface | null
  mixer: Mixer | null
  mlp: Mlp | null
  /** Norms before and after mixer and MLP; null if there is none. */
  norms: {
    beforeMixer: Norm | null
    afterMixer: Norm | null
    beforeMlp: Norm | null
    afterMlp: Norm | null
    /** Norms of the residual stream itself, after mixer or MLP were added. */
    streamAfterMixer: Norm | null
    streamAfterMlp: Norm | null
  }
  /** Mixer and MLP read the same state, instead of one after the other; `beforeMlp` null shares its norm. */
  parallel: boolean
  /** Mixer and MLP are added to the normed stream that they read, instead of the stream before the norm. */
  postNormResidual: boolean
  /** What each is added with. */
  residual: { mixer: Residual; mlp: Residual }
  perLayerEmbedding: PerLayerEmbedding | null
  /** Tensor [1]: a factor on the residual stream itself, at the end of the layer. */
  scalar: string | null
}

/** Factors on the residual stream and on what is added to it. */
export interface Residual {
  stream: number
  added: number
}

/**
 * What a layer adds after its MLP: a product of the stream, activated, times the layer's own part of an embedding,
 * multiplied by a second matrix and normed.
 */
export interface PerLayerEmbedding {
  gate: Linear
  activation: Activation
  projection: Linear
  norm: Norm
}

/**
 * A second embedding, of which each layer has a part of `size` numbers: the row of the token, times a factor, plus a
 * normed product of state 0; the sum is divided by the root of 2.
 */
export interface PerLayerEmbeddings {
  /** [vocabulary, layers * size] */
  weight: string
  vocabulary: number
  size: number
  /** Factor on the rows. */
  scale: number
  /** Gives the parts of all layers. */
  projection: Linear
  /** Factor on the product before the norm. */
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

/** Sines, then cosines, of a position times each frequency (Vaswani et al. 2017, arXiv 1706.03762). */
export interface Sinusoids {
  kind: 'sinusoids'
  /** Half as many as the hidden size. */
  frequencies: number[]
  /** Number of the first token's position. */
  offset: number
  /** Number of a position whose embedding is zero; null if there is none. */
  empty: number | null
}

export interface Decoder {
  vocabulary: number
  hiddenSize: number
  embedding: {
    weight: string
    /** Width of the table, if it is not the hidden size. */
    size: number
    projection: Linear | null
    scale: number
    norm: Norm | null
    positions: LearntPositions | Sinusoids | null
  }
  perLayerEmbeddings: PerLayerEmbeddings | null
  layers: Layer[]
  finalNorm: Norm | null
  /** Null if the checkpoint was saved without one. */
  head: {
    /** Maps the final state to the width of the embedding table. */
    projection: Linear | null
    linear: Linear
    /** Factor on the logits. */
    scale: number
    /** Logits become cap * tanh(logit / cap). */
    softcap: number | null
  } | null
  /** Names of tensors in old checkpoints that are recomputed. */
  extras: RegExp[]
  /** Attention is sparse in texts of more tokens (`index_topk`); null if it never is. */
  indexTopK: number | null
}
