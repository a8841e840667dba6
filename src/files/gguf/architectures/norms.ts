import type { Architecture, Facts } from '../architecture.js'
import { numberOf } from '../write/source.js'
import { count, optional, real } from '../write/written-value.js'
import {
  AFTER_NORMS,
  attentionBias,
  FOLDED_NORMS,
  INTERLEAVED,
  LLAMA,
  layerTypes,
  llamaBiases,
  NO_SCALING,
  rename,
  ropesByType,
  SANDWICH,
  statesLlama,
  statesLogitScale,
  statesRotated,
  statesWindow,
  window,
} from './parts.js'

/** llama.cpp knows the 27B by its number of layers, and scales its scores by another size than that of a head. */
function gemmaScale({ layers, hidden, heads, headDim }: Facts, layersOf27B: number): number {
  return layers === layersOf27B ? hidden / heads : headDim
}

const OLMO3: Architecture = {
  ...LLAMA,
  family: 'olmo3',
  tensors: rename(AFTER_NORMS),
  rope: false,
  settings: (facts) => ({
    sliding_window: window(facts),
    layer_types: layerTypes(facts, 4),
    rope_parameters: ropesByType(facts),
  }),
  states: (source) => statesWindow(source, true),
}

/** Architectures whose norms are others than Llama's, or in other places. */
export const NORM_ARCHITECTURES: Record<string, Architecture> = {
  gemma: { ...LLAMA, family: 'gemma', dialect: FOLDED_NORMS },
  gemma2: {
    ...LLAMA,
    family: 'gemma2',
    tensors: rename(SANDWICH),
    dialect: FOLDED_NORMS,
    settings: (facts) => ({
      query_pre_attn_scalar: gemmaScale(facts, 46),
      attn_logit_softcapping: facts.metadata.number('attn_logit_softcapping') ?? 50,
      final_logit_softcapping: facts.metadata.number('final_logit_softcapping') ?? 30,
      sliding_window: window(facts) ?? 4096,
      layer_types: layerTypes(facts, 2),
    }),
    states: (source) => ({
      attn_logit_softcapping: optional(numberOf(source, 'attn_logit_softcapping'), real),
      final_logit_softcapping: optional(numberOf(source, 'final_logit_softcapping'), real),
      ...statesWindow(source),
    }),
  },
  gemma3: {
    ...LLAMA,
    family: 'gemma3_text',
    tensors: rename(SANDWICH),
    dialect: FOLDED_NORMS,
    rope: false,
    settings: (facts) => ({
      query_pre_attn_scalar: gemmaScale(facts, 62),
      final_logit_softcapping: facts.metadata.number('final_logit_softcapping') || null,
      sliding_window: window(facts),
      layer_types: window(facts) ? layerTypes(facts, 6) : new Array(facts.layers).fill('full_attention'),
      rope_parameters: ropesByType(facts, 10_000),
    }),
    states: (source) => ({
      final_logit_softcapping: optional(numberOf(source, 'final_logit_softcapping'), real),
      ...statesWindow(source),
    }),
  },
  olmo: {
    ...LLAMA,
    family: 'olmo',
    norm: 'layer',
    epsilon: null,
    dialect: INTERLEAVED,
    settings: ({ metadata }) => ({ clip_qkv: metadata.number('attention.clamp_kqv') || null }),
    states: (source) => ({ 'attention.clamp_kqv': optional(numberOf(source, 'clip_qkv'), real) }),
  },
  olmo2: {
    ...LLAMA,
    family: 'olmo2',
    tensors: rename(AFTER_NORMS),
    variant: { key: 'attention.sliding_window', architecture: OLMO3 },
  },
  'command-r': {
    ...LLAMA,
    family: 'cohere',
    norm: 'layer',
    settings: (facts) => ({
      ...attentionBias(facts),
      logit_scale: facts.metadata.number('logit_scale'),
      use_qk_norm: facts.tensor('blk.0.attn_q_norm.weight') !== undefined,
    }),
    states: (source) => ({ ...statesLogitScale(source), ...NO_SCALING }),
  },
  cohere2: {
    ...LLAMA,
    family: 'cohere2',
    norm: 'layer',
    settings: (facts) => ({
      ...attentionBias(facts),
      logit_scale: facts.metadata.number('logit_scale'),
      sliding_window: window(facts),
      layer_types: layerTypes(facts, 4),
    }),
    states: (source) => ({
      ...statesLogitScale(source),
      ...statesWindow(source),
      ...statesLlama(source),
      ...NO_SCALING,
    }),
  },
  exaone4: {
    ...LLAMA,
    family: 'exaone4',
    tensors: rename(AFTER_NORMS),
    windowsNeedLayers: 64,
    settings: (facts) => ({
      sliding_window: window(facts),
      layer_types: window(facts) ? layerTypes(facts, 4) : undefined,
    }),
    states: (source) => ({ vocab_size: count(source.vocabulary), ...statesWindow(source, true) }),
  },
  nemotron: {
    ...LLAMA,
    family: 'nemotron',
    norm: 'layer',
    epsilon: 'norm_eps',
    dialect: FOLDED_NORMS,
    settings: llamaBiases,
    states: (source) => ({ vocab_size: count(source.vocabulary), ...statesRotated(source), ...NO_SCALING }),
  },
}
