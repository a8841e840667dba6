import type { ConfigReader } from './describe/config-reader.js'
import type { LightningAttention, Residual } from './describe/description.js'
import type { Differences, MixerParts } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import {
  describeExperts,
  MIXTRAL_EXPERTS,
  MLP_WIDTH,
  readExpertCounts,
  rope,
  softmaxRouting,
} from './describe/family-parts.js'
import { readLayerKinds, readWindow } from './describe/layer-types.js'
import { describeRoutedExperts, type RoutedExperts, sigmoidRouting } from './describe/router-parts.js'

/** Epsilon of the norm inside linear attention, whatever the config says. */
const INNER_EPSILON = 1e-6

const TYPES: ('full_attention' | 'linear_attention')[] = ['full_attention', 'linear_attention']

export const MINIMAX_FAMILIES: Record<string, Family> = {
  minimax: {
    title: 'MiniMax Text 01',
    notes:
      'lightning attention in most layers, experts in all; mixer and MLP are added to the normed stream, with factors on both',
    describe: describeMinimax,
  },
  minimax_m2: {
    title: 'MiniMax M2',
    notes: 'experts chosen by sigmoids and a bias, norms over all queries and all keys',
    fixed: {
      qk_norm_type: 'per_layer',
      scoring_func: 'sigmoid',
      shared_intermediate_size: 0,
      use_qk_norm: true,
      use_routing_bias: true,
    },
    describe: describeMinimaxM2,
  },
}

function describeMinimax(config: ConfigReader, has: Has): Differences {
  const typeOf = readLayerKinds(config, 'layer_types', TYPES, (layer) => TYPES[layer % 2]!)
  const isLinear = (layer: number) => typeOf(layer) === 'linear_attention'
  const window = readWindow(config, null)
  const block = config.length('block_size', 256)
  const residuals = {
    linear: readResidual(config, 'linear_attn', 'linear_attention'),
    full: readResidual(config, 'full_attn', 'full_attention'),
    mlp: readResidual(config, 'mlp', 'mlp'),
  }
  const experts = {
    names: MIXTRAL_EXPERTS,
    ...readExpertCounts(config, { count: 8, topK: 2, intermediateSize: 14_336 }, MLP_WIDTH),
    routing: softmaxRouting(true),
  }
  return {
    kvHeads: 8,
    norm: { epsilon: 1e-5 },
    rope: rope(config, { theta: 1_000_000 }),
    window: () => window,
    postNormResidual: true,
    residual: (layer) => ({
      mixer: isLinear(layer) ? residuals.linear : residuals.full,
      mlp: residuals.mlp,
    }),
    mixer: (layer, parts) => (isLinear(layer) ? describeLightning(parts, has, { layer, block }) : null),
    experts: (_layer, parts) => describeExperts(parts, has, experts),
  }
}

/** @param published the part's name in the first release's keys, which must agree */
function readResidual(config: ConfigReader, part: string, published: string): Residual {
  const stream = config.number(`${part}_alpha_factor`, 1)
  const added = config.number(`${part}_beta_factor`, 1)
  config.expect(`layernorm_${published}_alpha`, stream)
  config.expect(`layernorm_${published}_beta`, added)
  return { stream, added }
}

/** Decays are computed from the layer's number unless the checkpoint stores them. */
function describeLightning(
  { name, linear, makeNorm, activation, sizes }: MixerParts,
  has: Has,
  { layer, block }: { layer: number; block: number },
): LightningAttention {
  const { hidden, heads, headDim } = sizes
  const own = (tensor: string) => name(`self_attn.${tensor}`)
  const width = heads * headDim
  return {
    kind: 'lightning',
    heads,
    headDim,
    packed: linear('self_attn.qkv_proj', hidden, 3 * width),
    activation,
    block,
    decay: has(own('slope_rate'))
      ? {
          kind: 'stored',
          rates: own('slope_rate'),
          queries: own('query_decay'),
          keys: own('key_decay'),
          scores: own('diagonal_decay'),
        }
      : { kind: 'computed', rates: listRates(heads, 1 - layer / (sizes.layers - 1 + 1e-5) + 1e-5) },
    norm: makeNorm(own('norm'), { size: width, epsilon: INNER_EPSILON }),
    gate: linear('self_attn.output_gate', hidden, width),
    output: linear('self_attn.out_proj', width, hidden),
  }
}

/** Powers of 2^(-8 / heads), times a factor of the layer. */
function listRates(heads: number, factor: number): number[] {
  return Array.from({ length: heads }, (_, head) => 2 ** ((-8 * (head + 1)) / heads) * factor)
}

/** All layers of M2 have full attention; its configs still have its predecessor's keys for linear attention. */
function describeMinimaxM2(config: ConfigReader, has: Has): Differences {
  const types = config.numbers('attn_type_list', [])
  if (types.some((type) => type !== 1)) throw config.refuse('attn_type_list', 'only 1: full attention')
  for (const part of ['full_attention', 'linear_attention', 'mlp']) {
    config.expect(`layernorm_${part}_beta`, 1)
  }
  config.ignore('shared_moe_mode', 'mlp_intermediate_size', 'use_mtp', 'num_mtp_modules', 'mtp_transformer_layers')
  const routed: RoutedExperts = {
    names: MIXTRAL_EXPERTS,
    ...readExpertCounts(
      config,
      { count: 256, topK: 8, intermediateSize: 1536 },
      { ...MLP_WIDTH, count: 'num_local_experts' },
    ),
    routing: sigmoidRouting(1, 0),
    correctionBias: ['block_sparse_moe.e_score_correction_bias', 'mlp.e_score_correction_bias'],
    shared: null,
  }
  const headDim = config.count('head_dim', 128)
  const rotated = config.count('rotary_dim', undefined)
  return {
    kvHeads: 8,
    headDim,
    headNorm: { span: 'all heads', query: 'q_norm', key: 'k_norm' },
    rope: rope(config, { theta: 5_000_000, partial: rotated === undefined ? 1 : rotated / headDim }),
    experts: (_layer, parts) => describeRoutedExperts(parts, has, routed),
  }
}
