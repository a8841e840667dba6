import { DEEPSEEK3, describeDeepseek3 } from './deepseek.js'
import type { ConfigReader } from './describe/config-reader.js'
import {
  countChannels,
  type DeltaSizes,
  describeDelta,
  nameConvolutions,
  readLinearLayers,
} from './describe/delta-parts.js'
import type { Experts, GatedDeltaNet } from './describe/description.js'
import type { Differences, ExpertParts, MixerParts } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import { describeExperts, MIXTRAL_EXPERTS } from './describe/family-parts.js'
import { describeLatent, readLatentForm } from './describe/latent-parts.js'
import { readExpertLayers } from './describe/router-parts.js'

/** Added to the sum of the selected scores. */
const SUM_EPSILON = 1e-20

export const KIMI_FAMILIES: Record<string, Family> = {
  kimi_k2: {
    title: 'Kimi K2',
    notes: 'as DeepSeek V3',
    fixed: { moe_layer_freq: 1 },
    describe: (config, has) => describeDeepseek3(config, has, DEEPSEEK3),
  },
  kimi_linear: {
    title: 'Kimi Linear',
    notes:
      'linear attention by the delta rule with a decay for each element of a key, latent attention in every fourth layer, experts',
    fixed: {
      mla_use_nope: true,
      moe_layer_freq: 1,
      moe_router_activation_func: 'sigmoid',
      num_expert_group: 1,
      num_nextn_predict_layers: 0,
      n_group: 1,
      topk_group: 1,
      topk_method: 'noaux_tc',
    },
    describe: describeKimi,
  },
}

function describeKimi(config: ConfigReader, has: Has): Differences {
  const { sizes, isLinear } = readLinearAttention(config)
  const layers = config.layers('num_hidden_layers')
  const latent = readLatentForm(config, { queryLatent: null }, null)
  const experts = readExperts(config, has)
  const isSparse = readExpertLayers(config, { key: 'first_k_dense_replace', otherwise: 1 })
  config.ignore('rope_theta', 'rope_scaling', 'rope_parameters', 'use_grouped_topk')
  config.ignore('model_max_length', 'intermediate_size')
  const isRenamed = Array.from({ length: layers }, (_, layer) =>
    has(`model.layers.${layer}.block_sparse_moe.gate_proj.weight`),
  ).includes(true)
  return {
    norm: { epsilon: 1e-5 },
    // transformers 5 gives the MLPs of all layers the name of the experts' module
    names: { mlp: isRenamed ? 'block_sparse_moe' : 'mlp' },
    mixer: (layer, parts) => (isLinear(layer) ? describeKimiDelta(parts, has, sizes) : describeLatent(parts, latent)),
    experts: (layer, parts) => (isSparse(layer) ? experts(parts) : null),
  }
}

/** Reads the nested object of published configs, or the keys of transformers 5. */
function readLinearAttention(config: ConfigReader): {
  sizes: DeltaSizes
  isLinear: (layer: number) => boolean
} {
  const nested = config.object('linear_attn_config')
  const count = (own: string, key: string, usual: number) => nested?.count(own, undefined) ?? config.count(key, usual)
  const heads = count('num_heads', 'linear_num_heads', 32)
  const dim = count('head_dim', 'linear_head_dim', 128)
  const sizes = {
    keyHeads: heads,
    valueHeads: heads,
    keyDim: dim,
    valueDim: dim,
    kernel: count('short_conv_kernel_size', 'linear_conv_kernel_dim', 4),
  }
  config.ignore('linear_num_heads', 'linear_head_dim', 'linear_conv_kernel_dim')
  const linear = nested?.numbers('kda_layers', undefined)
  const full = nested?.numbers('full_attn_layers', undefined)
  nested?.assertAllRead('Kimi Linear', () => false)
  if (linear === undefined || full === undefined) {
    return { sizes, isLinear: readLinearLayers(config, (layer) => layer === 0 || layer % 4 !== 0) }
  }
  const layers = config.layers('num_hidden_layers')
  // the lists count from 1
  const isListed = (list: number[], layer: number) => list.includes(layer + 1)
  for (let layer = 0; layer < layers; layer++) {
    if (isListed(linear, layer) !== isListed(full, layer)) continue
    throw config.refuse('linear_attn_config', `every layer, counted from 1, in either kda_layers or full_attn_layers`)
  }
  return { sizes, isLinear: readLinearLayers(config, (layer) => isListed(linear, layer)) }
}

function readExperts(config: ConfigReader, has: Has): (parts: ExpertParts) => Experts {
  const key = (own: string, usual: string) => config.choose(own, usual)
  const normalized = config.flag(key('moe_renormalize', 'norm_topk_prob'), true)
  const settings = {
    names: MIXTRAL_EXPERTS,
    count: config.count(key('num_experts', 'num_local_experts'), 256),
    topK: config.count(key('num_experts_per_token', 'num_experts_per_tok'), 8),
    intermediateSize: config.count('moe_intermediate_size', 1024),
  }
  const shared = config.count(key('num_shared_experts', 'n_shared_experts'), 1) * settings.intermediateSize
  const scale = config.number('routed_scaling_factor', 2.446)
  return (parts) => {
    const module = has(parts.name('block_sparse_moe.gate.weight')) ? 'block_sparse_moe' : 'mlp'
    const routing = {
      scores: 'sigmoid' as const,
      correctionBias: parts.name(`${module}.gate.e_score_correction_bias`),
      normalized: normalized ? { sumEpsilon: SUM_EPSILON } : null,
      scale,
    }
    return {
      ...describeExperts(parts, has, { ...settings, routing }),
      shared: { mlp: parts.gated(`${module}.shared_experts`, shared), gate: null },
    }
  }
}

/** Linear attention with low-rank gate and decay. */
function describeKimiDelta(parts: MixerParts, has: Has, sizes: DeltaSizes): GatedDeltaNet {
  const { name, makeNorm } = parts
  const { hidden } = parts.sizes
  const { values } = countChannels(sizes)
  const linear = (module: string, inputs: number, outputs: number) =>
    parts.linear(`self_attn.${module}`, inputs, outputs)
  const forget = has(name('self_attn.forget_gate.A_log')) ? 'forget_gate.' : ''
  const through = (down: string, up: string) => [
    linear(down, hidden, sizes.valueDim),
    linear(up, sizes.valueDim, values),
  ]
  return describeDelta(parts, sizes, {
    projections: {
      layout: 'qkv',
      queriesKeysValues: ['q_proj', 'k_proj', 'v_proj'].map((module) => linear(module, hidden, values)),
      gate: through('g_a_proj', 'g_b_proj'),
      beta: linear('b_proj', hidden, sizes.valueHeads),
      decay: through(`${forget}f_a_proj`, `${forget}f_b_proj`),
    },
    convolutions: nameConvolutions(parts, 'self_attn', has),
    decay: {
      rate: name(`self_attn.${forget}A_log`),
      rateShape: [1, 1, sizes.valueHeads, 1],
      bias: name(`self_attn.${forget}dt_bias`),
      perElement: true,
      bound: null,
    },
    betaScale: 1,
    gateActivation: 'sigmoid',
    norm: makeNorm(name('self_attn.o_norm'), { size: sizes.valueDim }),
    output: 'self_attn.o_proj',
  })
}
