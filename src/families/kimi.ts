import type { ConfigReader } from './config-reader.js'
import {
  countChannels,
  type DeltaSizes,
  describeDelta,
  nameConvolutions,
  readLinearLayers,
} from './delta-parts.js'
import type { Delta, Experts, LatentAttention } from './description.js'
import type { Differences, ExpertParts, MixerParts } from './differences.js'
import { describeExperts, MIXTRAL_EXPERTS } from './family-parts.js'
import { readLayerKinds } from './layer-types.js'
import type { Family } from './table.js'

/** Of norms in latent attention, whatever the config says. */
const LATENT_EPSILON = 1e-6

/** What is added to the sum of the chosen scores. */
const SUM_EPSILON = 1e-20

/** Kimi's decoder, whose linear attention has a decay for each element of a key. */
export const KIMI_FAMILIES: Record<string, Family> = {
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

type Has = (name: string) => boolean

function describeKimi(config: ConfigReader, has: Has): Differences {
  const { sizes, isLinear } = readLinearAttention(config)
  const layers = config.layers('num_hidden_layers')
  const latent = readLatentSizes(config)
  const experts = readExperts(config, has)
  const isSparse = readSparseLayers(config)
  config.expect('num_key_value_heads', config.raw('num_attention_heads'))
  config.ignore('rope_theta', 'rope_scaling', 'rope_parameters', 'qk_head_dim', 'use_grouped_topk')
  config.ignore('model_max_length', 'intermediate_size')
  const isRenamed = Array.from({ length: layers }, (_, layer) =>
    has(`model.layers.${layer}.block_sparse_moe.gate_proj.weight`),
  ).includes(true)
  return {
    norm: { epsilon: 1e-5 },
    // transformers 5 gives the MLPs of all layers the name that the experts had
    names: { mlp: isRenamed ? 'block_sparse_moe' : 'mlp' },
    mixer: (layer, parts) =>
      isLinear(layer) ? describeKimiDelta(parts, has, sizes) : describeLatent(parts, latent),
    experts: (layer, parts) => (isSparse(layer) ? experts(parts) : null),
  }
}

/** From the nested object of published configs, or from the keys that transformers 5 saves. */
function readLinearAttention(config: ConfigReader): {
  sizes: DeltaSizes
  isLinear: (layer: number) => boolean
} {
  const nested = config.object('linear_attn_config')
  const count = (own: string, key: string, usual: number) =>
    nested?.count(own, undefined) ?? config.count(key, usual)
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
    throw config.refuse(
      'linear_attn_config',
      `every layer, counted from 1, in either kda_layers or full_attn_layers`,
    )
  }
  return { sizes, isLinear: readLinearLayers(config, (layer) => isListed(linear, layer)) }
}

function readSparseLayers(config: ConfigReader): (layer: number) => boolean {
  const dense = config.number('first_k_dense_replace', 1)
  const kindOf = readLayerKinds(config, 'mlp_layer_types', ['dense', 'sparse'], (layer) =>
    layer < dense ? 'dense' : 'sparse',
  )
  return (layer) => kindOf(layer) === 'sparse'
}

function readExperts(config: ConfigReader, has: Has): (parts: ExpertParts) => Experts {
  const key = (own: string, usual: string) => config.choose(own, usual)
  const normalized = config.flag(key('moe_renormalize', 'norm_topk_prob'), true)
  const settings = {
    names: MIXTRAL_EXPERTS,
    count: config.count(key('num_experts', 'num_local_experts'), 256),
    perToken: config.count(key('num_experts_per_token', 'num_experts_per_tok'), 8),
    inner: config.count('moe_intermediate_size', 1024),
  }
  const shared = config.count(key('num_shared_experts', 'n_shared_experts'), 1) * settings.inner
  const scale = config.number('routed_scaling_factor', 2.446)
  return (parts) => {
    const module = has(parts.name('block_sparse_moe.gate.weight')) ? 'block_sparse_moe' : 'mlp'
    const routing = {
      scores: 'sigmoid' as const,
      choiceBias: parts.name(`${module}.gate.e_score_correction_bias`),
      normalized: normalized ? { sumEpsilon: SUM_EPSILON } : null,
      scale,
    }
    return {
      ...describeExperts(parts, has, { ...settings, routing }),
      shared: { mlp: parts.gated(`${module}.shared_experts`, shared), gate: null },
    }
  }
}

/** Linear attention whose gate and decay come through a narrow product. */
function describeKimiDelta(parts: MixerParts, has: Has, sizes: DeltaSizes): Delta {
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
      layout: 'stacked',
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
    },
    betaScale: 1,
    gateActivation: 'sigmoid',
    norm: makeNorm(name('self_attn.o_norm'), { size: sizes.valueDim }),
    output: 'self_attn.o_proj',
  })
}

interface LatentSizes {
  own: number
  shared: number
  value: number
  latent: number
  /** Of the queries; null if they come from one product. */
  queryLatent: number | null
  bias: boolean
}

function readLatentSizes(config: ConfigReader): LatentSizes {
  return {
    own: config.count('qk_nope_head_dim', 128),
    shared: config.count('qk_rope_head_dim', 64),
    value: config.count('v_head_dim', 128),
    latent: config.count('kv_lora_rank', 512),
    queryLatent: config.count('q_lora_rank', null),
    bias: config.flag('attention_bias', false),
  }
}

function describeLatent({ name, linear, makeNorm, sizes }: MixerParts, latent: LatentSizes): LatentAttention {
  const { heads, hidden } = sizes
  const { own, shared, value, bias, queryLatent } = latent
  const module = (which: string) => `self_attn.${which}`
  const norm = (which: string, size: number) =>
    makeNorm(name(module(which)), { size, epsilon: LATENT_EPSILON })
  const queries = heads * (own + shared)
  return {
    kind: 'latent',
    heads,
    ownDim: own,
    sharedDim: shared,
    valueDim: value,
    query:
      queryLatent === null
        ? linear(module('q_proj'), hidden, queries)
        : {
            down: linear(module('q_a_proj'), hidden, queryLatent, bias),
            norm: norm('q_a_layernorm', queryLatent),
            up: linear(module('q_b_proj'), queryLatent, queries),
          },
    compressed: linear(module('kv_a_proj_with_mqa'), hidden, latent.latent + shared, bias),
    latentNorm: norm('kv_a_layernorm', latent.latent),
    expanded: linear(module('kv_b_proj'), latent.latent, heads * (own + value)),
    output: linear(module('o_proj'), heads * value, hidden, bias),
    scale: (own + shared) ** -0.5,
  }
}
