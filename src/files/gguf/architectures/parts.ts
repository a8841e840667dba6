import type { Architecture, Facts } from '../architecture.js'
import { readRopeParameters } from '../rope.js'
import { LLAMA_TENSORS, type Target, type TensorNames } from '../tensor-names.js'
import { numberOf, type Source } from '../write/source.js'
import { count, flags, optional, real, type Statements, text } from '../write/written-value.js'

/** Names that differ from Llama's. */
export function rename(layer: Record<string, Target>, others: Partial<Omit<TensorNames, 'layer'>> = {}): TensorNames {
  return {
    ...LLAMA_TENSORS,
    ...others,
    model: { ...LLAMA_TENSORS.model, ...others.model },
    layer: { ...LLAMA_TENSORS.layer, ...layer },
  }
}

export const LLAMA: Architecture = { family: 'llama', tensors: LLAMA_TENSORS, norm: 'rms', rope: true }

/** Number of a function of the router's outputs. */
export const SIGMOID = 2

/** Rope takes neighbours as pairs, and rows of queries and keys are in that order. */
export const INTERLEAVED = { interleavesRope: true } as const
export const FOLDED_NORMS = { foldsNormOffset: true } as const

/** Whether queries have a bias. */
export const hasBias = ({ tensor }: Facts) => tensor('blk.0.attn_q.bias') !== undefined
export const attentionBias = (facts: Facts) => ({ attention_bias: hasBias(facts) })
export const llamaBiases = (facts: Facts) => ({
  ...attentionBias(facts),
  mlp_bias: facts.tensor('blk.0.ffn_down.bias') !== undefined,
})

/** Norms after attention and MLP, as Gemma 2 has them. */
export const SANDWICH = {
  post_attention_norm: 'post_attention_layernorm',
  ffn_norm: 'pre_feedforward_layernorm',
  post_ffw_norm: 'post_feedforward_layernorm',
}

/** Norms after attention and MLP, and none before. */
export const AFTER_NORMS = {
  post_attention_norm: 'post_attention_layernorm',
  post_ffw_norm: 'post_feedforward_layernorm',
}

/** Which layers see only a window, by the file's list or period, or else each but the last of a `period`. */
export function layerTypes({ metadata, layers }: Facts, period: number): string[] {
  const stated = metadata.value('attention.sliding_window_pattern')
  const own = typeof stated === 'number' ? stated : period
  const slides = Array.isArray(stated)
    ? metadata.perLayer('attention.sliding_window_pattern', layers)!.map(Boolean)
    : Array.from({ length: layers }, (_, layer) => own === 0 || (layer + 1) % own !== 0)
  return slides.map((is) => (is ? 'sliding_attention' : 'full_attention'))
}

/** Tokens that a layer with a window sees; null if the file states none. */
export const window = ({ metadata }: Facts) => metadata.number('attention.sliding_window') || null

/** Layers with a window have a rope of their own, without scaling. */
export function ropesByType(facts: Facts, usualBase?: number): Record<string, unknown> {
  const full = readRopeParameters(facts)
  const base = facts.metadata.number('rope.freq_base_swa') ?? usualBase ?? full.rope_theta
  return { full_attention: full, sliding_attention: { rope_type: 'default', rope_theta: base } }
}

/** Experts of Qwen's kind. */
export function experts({ metadata, layers }: Facts): Record<string, unknown> {
  return {
    num_experts: metadata.number('expert_count'),
    num_experts_per_tok: metadata.number('expert_used_count'),
    moe_intermediate_size: metadata.shared('expert_feed_forward_length', layers),
  }
}

/** @throws LayerpruneError if a file states another function of the router's outputs */
export function sigmoidGating({ metadata }: Facts): Record<string, never> {
  if ((metadata.number('expert_gating_func') ?? SIGMOID) === SIGMOID) return {}
  throw metadata.refuse('expert_gating_func', `${SIGMOID}, the sigmoid`)
}

/** What Qwen 3 does with images: three positions, and states of images that layers add. */
export const QWEN3_IMAGES = ['rope.dimension_sections', 'n_deepstack_layers']

/** Numbers of a head that are rotated. */
export const statesRotated = ({ rotated }: Source): Statements => ({ 'rope.dimension_count': count(rotated) })

/** As files of Llama's kind have them. */
export const statesLlama = (source: Source): Statements => ({
  vocab_size: count(source.vocabulary),
  ...statesRotated(source),
})

/** That the rope is not scaled. */
export const NO_SCALING: Statements = { 'rope.scaling.type': text('none') }

/** The window of layers that have one, and which these are if the file is to list them. */
export function statesWindow({ windows }: Source, isListed = false): Statements {
  const size = windows.find((window) => window !== null)
  if (size === undefined || size === null) return {}
  return {
    'attention.sliding_window': count(size),
    ...(isListed && { 'attention.sliding_window_pattern': flags(windows.map((window) => window !== null)) }),
  }
}

/** Width of each expert. */
export const statesExpertWidth = (source: Source): Statements => ({
  expert_feed_forward_length: optional(numberOf(source, 'moe_intermediate_size'), count),
})

export const statesLogitScale = (source: Source): Statements => ({
  logit_scale: optional(numberOf(source, 'logit_scale'), real),
})
