import type { ConfigReader } from './describe/config-reader.js'
import type { Routing, ShortConvolution } from './describe/description.js'
import type { Differences, MixerParts } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import { describeExperts, HEAD_NORM, readAttentionBias, readExpertCounts, rope } from './describe/family-parts.js'
import { type LayerType, readLayerKinds, readWindow, windowsOf } from './describe/layer-types.js'

/** Keys of LFM 2's first configs that state constants of the family. */
const LFM2_FIXED = { hidden_act: 'silu', block_use_swiglu: true, use_pos_enc: true }

const FULL_ROPE = { rope_type: 'proportional', rope_theta: 1_000_000, partial_rotary_factor: 0.5 }

const SLIDING_ROPE = { rope_type: 'default', rope_theta: 10_000 }

const LFM2_EXPERTS = {
  router: 'feed_forward.gate',
  experts: 'feed_forward.experts',
  gate: 'w1',
  up: 'w3',
  down: 'w2',
  fused: 'feed_forward.experts',
  fusedRouter: 'feed_forward.gate',
}

export const LFM_FAMILIES: Record<string, Family> = {
  lfm2: {
    title: 'LFM 2 and 2.5',
    notes: 'a gated short convolution in most layers, norms on the heads of queries and keys in the others',
    fixed: LFM2_FIXED,
    describe: (config) => {
      const attends = readLfm2Layers(config)
      return { ...describeLfm2(config, attends), mlpSize: readLfm2MlpSize(config) }
    },
  },
  lfm2_moe: {
    title: 'LFM 2 8B-A1B',
    notes: 'as LFM 2, with experts chosen by sigmoids and a bias in all but the first layers',
    fixed: LFM2_FIXED,
    describe: (config, has) => {
      const attends = readLfm2Layers(config)
      const dense = config.number('num_dense_layers', 2)
      const isBiased = config.flag('use_expert_bias', true)
      const routing: Routing = {
        scores: 'sigmoid',
        correctionBias: null,
        normalized: config.flag('norm_topk_prob', true) ? { sumEpsilon: 1e-6 } : null,
        scale: config.number('routed_scaling_factor', 1),
      }
      const settings = {
        names: LFM2_EXPERTS,
        ...readExpertCounts(config, { count: 32, topK: 4, intermediateSize: 1792 }, 'num_experts'),
      }
      config.ignore('intermediate_size')
      return {
        ...describeLfm2(config, attends),
        experts: (layer, parts) => {
          if (layer < dense) return null
          const correctionBias = isBiased ? parts.name('feed_forward.expert_bias') : null
          return describeExperts(parts, has, { ...settings, routing: { ...routing, correctionBias } })
        },
      }
    },
  },
  lfm3: {
    title: 'LFM 3',
    notes: 'as LFM 2, with norms after mixers and MLPs, a gate on each head and windows in some layers',
    fixed: { hidden_act: 'silu' },
    describe: describeLfm3,
  },
}

/** Shared by all generations of LFM. */
function describeLfm(config: ConfigReader, hasConvolution: (layer: number) => boolean, tokens: number): Differences {
  const hasBias = config.flag('conv_bias', false)
  const size = config.length('conv_L_cache', tokens)
  return {
    names: { finalNorm: 'embedding_norm', mlp: 'feed_forward', gate: 'w1', up: 'w3', down: 'w2' },
    norm: { key: 'norm_eps', epsilon: 1e-5 },
    norms: { beforeMixer: 'operator_norm', beforeMlp: 'ffn_norm' },
    mixer: (layer, parts) => (hasConvolution(layer) ? describeConvolution(parts, size, hasBias) : null),
  }
}

function describeLfm2(config: ConfigReader, attends: (layer: number) => boolean): Differences {
  const tied = config.flag('tie_embedding', config.flag('tie_word_embeddings', true))
  config.expect('tie_word_embeddings', tied)
  expectSpellings(config)
  const usual = describeLfm(config, (layer) => !attends(layer), 3)
  return {
    ...usual,
    tied,
    kvHeads: 8,
    names: { ...usual.names, output: 'out_proj' },
    headNorm: { span: 'head', query: 'q_layernorm', key: 'k_layernorm' },
    rope: rope(config, { theta: 1_000_000 }),
  }
}

function describeLfm3(config: ConfigReader, has: Has): Differences {
  const kinds: ('conv' | LayerType)[] = ['conv', 'sliding_attention', 'full_attention']
  const kindOf = readLayerKinds(config, 'layer_types', kinds, (layer) =>
    layer % 4 === 2 ? 'full_attention' : layer % 4 === 0 && layer > 0 ? 'sliding_attention' : 'conv',
  )
  const usual = describeLfm(config, (layer) => kindOf(layer) === 'conv', 7)
  const full = rope(config, { layerType: 'full_attention', usual: FULL_ROPE })
  const sliding = rope(config, { layerType: 'sliding_attention', usual: SLIDING_ROPE })
  const layers = Array.from({ length: config.layers('num_hidden_layers') }, (_, layer) => layer)
  const isRenamed = layers.some((layer) => has(`model.layers.${layer}.self_attn.g_proj.weight`))
  const isSandwiched = config.flag('use_sandwich_norm', true)
  return {
    ...usual,
    tied: true,
    kvHeads: 4,
    headDim: 128,
    bias: readAttentionBias(config),
    norms: {
      ...usual.norms,
      ...(isSandwiched && { afterMixer: 'post_operator_norm', afterMlp: 'post_ffn_norm' }),
    },
    headNorm: HEAD_NORM,
    gate: config.flag('use_attention_gate', true)
      ? { module: isRenamed ? 'g_proj' : 'gate_proj', span: 'head', activation: 'sigmoid' }
      : null,
    rope: (layer, sizes) => (kindOf(layer) === 'full_attention' ? full : sliding)(layer, sizes),
    window: windowsOf(
      config,
      (layer) => (kindOf(layer) === 'sliding_attention' ? 'sliding_attention' : 'full_attention'),
      readWindow(config, 256),
    ),
  }
}

/** Sizes that the first configs state twice, and keys about initial weights. */
function expectSpellings(config: ConfigReader): void {
  for (const key of ['block_dim', 'conv_dim', 'conv_dim_out']) config.expect(key, config.raw('hidden_size'))
  config.expect('num_heads', config.raw('num_attention_heads'))
  config.expect('block_norm_eps', config.raw('norm_eps') ?? 1e-5)
  config.expect('theta', config.raw('rope_theta') ?? 1_000_000)
  config.ignore('block_mlp_init_scale', 'block_out_init_scale')
  config.ignore('block_use_xavier_init', 'conv_use_xavier_init')
}

/** Whether a layer has attention: by `layer_types`, or a list of the layers that do; all layers if neither is stated. */
function readLfm2Layers(config: ConfigReader): (layer: number) => boolean {
  const numbers = config.numbers('full_attn_idxs', undefined)
  const kindOf = readLayerKinds(config, 'layer_types', ['conv', 'full_attention'], (layer) =>
    (numbers?.includes(layer) ?? true) ? 'full_attention' : 'conv',
  )
  return (layer) => kindOf(layer) === 'full_attention'
}

/** The width of the MLP: as stated, or two thirds of that, rounded up to a multiple. */
function readLfm2MlpSize(config: ConfigReader): number {
  const usual = config.length('intermediate_size', 12_288)
  const stated = config.length('block_ff_dim', usual)
  const isAdjusted = config.flag('block_auto_adjust_ff_dim', true)
  const multiple = config.length('block_multiple_of', 256)
  const factor = config.isNull('block_ffn_dim_multiplier') ? null : config.positive('block_ffn_dim_multiplier', 1)
  if (!isAdjusted) return stated
  const reduced = Math.floor((2 * stated) / 3)
  return factor === null ? reduced : Math.ceil(Math.floor(factor * reduced) / multiple) * multiple
}

function describeConvolution({ name, linear, sizes }: MixerParts, size: number, hasBias: boolean): ShortConvolution {
  const { hidden } = sizes
  return {
    kind: 'convolution',
    inputs: linear('conv.in_proj', hidden, 3 * hidden, hasBias),
    convolution: {
      channels: hidden,
      weights: [name('conv.conv.weight')],
      bias: hasBias ? name('conv.conv.bias') : null,
      size,
    },
    output: linear('conv.out_proj', hidden, hidden, hasBias),
  }
}
