import type { ConfigReader } from './describe/config-reader.js'
import {
  countChannels,
  type DeltaSizes,
  describeDecay,
  describeDelta,
  readDeltaSizes,
  readLinearLayers,
} from './describe/delta-parts.js'
import type { Experts, GatedDeltaNetProjections, Linear } from './describe/description.js'
import type { Differences, ExpertParts, MixerParts } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import {
  allButEvery,
  describeExperts,
  describeSharedExpert,
  type ExpertCounts,
  HEAD_NORM,
  QWEN_EXPERTS,
  readAttentionBias,
  readExpertCounts,
  readQwenWindows,
  readSparseLayers,
  rope,
  softmaxRouting,
} from './describe/family-parts.js'
import { readWindow } from './describe/layer-types.js'

/** Keys of configs that state constants of Qwen's hybrids. */
const QWEN_FIXED = { attn_output_gate: true, output_gate_type: 'swish' }

/**
 * Qwen's multimodal decoders have rotary embeddings of three positions: time, row and column of an image. For text the
 * three are equal, which gives the usual embedding.
 */
export const QWEN_FAMILIES: Record<string, Family> = {
  qwen2: {
    title: 'Qwen 1.5, 2 and 2.5, DeepSeek R1 Distill Qwen',
    notes: 'biases on queries, keys and values; windows in the upper layers',
    windowOffByDefault: true,
    describe: (config) => ({
      bias: { qkv: true },
      rope: rope(config),
      window: readQwenWindows(config, (layer, first) => layer >= first),
    }),
  },
  qwen2_moe: {
    title: 'Qwen 1.5 MoE, Qwen 2 57B-A14B',
    notes: 'as Qwen 2, with experts and a shared expert',
    windowOffByDefault: true,
    describe: (config, has) => {
      const isSparse = readSparseLayers(config)
      const settings = {
        names: QWEN_EXPERTS,
        ...readExpertCounts(config, { count: 60, topK: 4, intermediateSize: 1408 }),
        routing: softmaxRouting(config.flag('norm_topk_prob', false)),
      }
      const sharedIntermediateSize = config.count('shared_expert_intermediate_size', 5632)
      config.ignore('intermediate_size')
      return {
        kvHeads: 16,
        bias: { qkv: config.flag('qkv_bias', true) },
        rope: rope(config),
        window: readQwenWindows(config, (layer, first) => layer % 2 === 0 && layer < first),
        experts: (layer, parts) => {
          if (!isSparse(layer)) return null
          const shared = describeSharedExpert(parts, sharedIntermediateSize)
          return { ...describeExperts(parts, has, settings), shared }
        },
      }
    },
  },
  qwen3: {
    title: 'Qwen 3',
    notes: 'norms on the heads of queries and keys',
    windowOffByDefault: true,
    describe: (config) => ({
      bias: readAttentionBias(config),
      headDim: 128,
      headNorm: HEAD_NORM,
      rope: rope(config),
      window: readQwenWindows(config, (layer, first) => layer >= first),
    }),
  },
  qwen3_moe: {
    title: 'Qwen 3 30B-A3B and 235B-A22B',
    notes: 'as Qwen 3, with experts',
    windowOffByDefault: true,
    describe: (config, has) => {
      const size = readWindow(config, 4096)
      const window = config.flag('use_sliding_window', false) ? size : null
      config.ignore('max_window_layers')
      return {
        kvHeads: 4,
        bias: readAttentionBias(config),
        headNorm: HEAD_NORM,
        rope: rope(config),
        window: () => window,
        experts: readQwen3Experts(config, has, {
          count: 128,
          topK: 8,
          intermediateSize: 768,
          isNormalized: config.flag('norm_topk_prob', false),
        }),
      }
    },
  },
  qwen3_next: {
    title: 'Qwen 3 Next',
    notes: 'as Qwen 3.5 with experts, which some layers can lack; inputs of linear attention in two matrices',
    fixed: QWEN_FIXED,
    windowOffByDefault: true,
    describe: (config, has) => {
      const isSparse = readSparseLayers(config)
      const normalized = config.flag('norm_topk_prob', true)
      const experts = readQwenExperts(config, has, { count: 512, topK: 10, normalized })
      config.ignore('intermediate_size')
      return {
        ...describeQwenHybrid(config, groupedInputs),
        kvHeads: 2,
        experts: (layer, parts) => (isSparse(layer) ? experts(parts) : null),
      }
    },
  },
  qwen3_5_text: {
    title: 'Qwen 3.5 (dense)',
    notes: 'linear attention by the gated delta rule in three layers of four, gated attention in the others',
    fixed: QWEN_FIXED,
    windowOffByDefault: true,
    describe: (config) => describeQwenHybrid(config, stackedInputs),
  },
  qwen3_5_moe_text: {
    title: 'Qwen 3.5 (experts)',
    notes: 'as the dense Qwen 3.5, with experts and a shared expert',
    fixed: { ...QWEN_FIXED, norm_topk_prob: true, decoder_sparse_step: 1 },
    windowOffByDefault: true,
    describe: (config, has) => {
      if (config.numbers('mlp_only_layers', []).length > 0) {
        throw config.refuse('mlp_only_layers', 'an empty list: all layers of the family have experts')
      }
      const experts = readQwenExperts(config, has, { count: 256, topK: 8, normalized: true })
      config.ignore('intermediate_size')
      return {
        ...describeQwenHybrid(config, stackedInputs),
        kvHeads: 2,
        experts: (_layer, parts) => experts(parts),
      }
    },
  },
  qwen2_vl_text: {
    title: 'Qwen 2 VL (text)',
    notes: 'as Qwen 2',
    windowOffByDefault: true,
    describe: (config) => describeQwen2Text(config),
  },
  qwen2_5_vl_text: {
    title: 'Qwen 2.5 VL (text)',
    notes: 'as Qwen 2',
    windowOffByDefault: true,
    describe: (config) => describeQwen2Text(config),
  },
  qwen2_5_omni_text: {
    title: 'Qwen 2.5 Omni (thinker)',
    notes: 'as Qwen 2',
    windowOffByDefault: true,
    describe: (config) => ({ ...describeQwen2Text(config, 28), kvHeads: 4, norm: { epsilon: 1e-6 } }),
  },
  qwen3_vl_text: {
    title: 'Qwen 3 VL (text)',
    notes: 'as Qwen 3',
    windowOffByDefault: true,
    describe: (config) => ({ ...describeQwen3Text(config), kvHeads: 32, headDim: 128 }),
  },
  qwen3_vl_moe_text: {
    title: 'Qwen 3 VL 30B-A3B and 235B-A22B (text)',
    notes: 'as Qwen 3, with fused experts, transposed in published files',
    fixed: { norm_topk_prob: true },
    windowOffByDefault: true,
    describe: (config, has) => ({
      ...describeQwen3Text(config),
      kvHeads: 16,
      experts: readQwen3Experts(config, has, {
        count: 60,
        topK: 4,
        intermediateSize: 1408,
        isNormalized: true,
        transposed: 'by shape',
      }),
    }),
  },
  qwen3_omni_moe_text: {
    title: 'Qwen 3 Omni 30B-A3B (thinker)',
    notes: 'as Qwen 3 30B-A3B',
    windowOffByDefault: true,
    describe: (config, has) => {
      config.ignore('sliding_window')
      return {
        ...describeQwen3Text(config, 1_000_000),
        kvHeads: 4,
        experts: readQwen3Experts(config, has, {
          count: 128,
          topK: 8,
          intermediateSize: 768,
          isNormalized: config.flag('norm_topk_prob', true),
        }),
      }
    },
  },
}

/** @param usual the family's defaults */
function readQwen3Experts(
  config: ConfigReader,
  has: Has,
  usual: ExpertCounts & { isNormalized: boolean; transposed?: Linear['transposed'] },
): NonNullable<Differences['experts']> {
  const isSparse = readSparseLayers(config)
  const settings = {
    names: QWEN_EXPERTS,
    ...readExpertCounts(config, usual),
    routing: softmaxRouting(usual.isNormalized),
    transposed: usual.transposed,
  }
  config.ignore('intermediate_size')
  return (layer, parts) => (isSparse(layer) ? describeExperts(parts, has, settings) : null)
}

function describeQwen2Text(config: ConfigReader, firstWindow = 80): Differences {
  return {
    kvHeads: 8,
    norm: { epsilon: 1e-5 },
    bias: { qkv: true },
    rope: rope(config, { theta: 1_000_000, knowsMrope: true }),
    window: readQwenWindows(config, (layer, first) => layer >= first, firstWindow),
  }
}

function describeQwen3Text(config: ConfigReader, theta = 500_000): Differences {
  return {
    bias: readAttentionBias(config),
    headNorm: HEAD_NORM,
    rope: rope(config, { theta }),
  }
}

function readQwenExperts(
  config: ConfigReader,
  has: Has,
  usual: { count: number; topK: number; normalized: boolean },
): (parts: ExpertParts) => Experts {
  const settings = {
    names: QWEN_EXPERTS,
    ...readExpertCounts(config, { ...usual, intermediateSize: 512 }),
    routing: softmaxRouting(usual.normalized),
  }
  const shared = config.count('shared_expert_intermediate_size', 512)
  return (parts) => ({
    ...describeExperts(parts, has, settings),
    shared: describeSharedExpert(parts, shared),
  })
}

/** Qwen 3 Next and 3.5: norms of 1 + weight, gated attention, a quarter of each head rotated. */
function describeQwenHybrid(
  config: ConfigReader,
  inputs: (parts: MixerParts, sizes: DeltaSizes) => GatedDeltaNetProjections,
): Differences {
  const sizes = readDeltaSizes(config, {
    keyHeads: 16,
    valueHeads: 32,
    keyDim: () => 128,
    valueDim: () => 128,
  })
  const isLinear = readLinearLayers(config, allButEvery(config.length('full_attention_interval', 4)))
  config.ignore('mamba_ssm_dtype', 'mtp_num_hidden_layers', 'mtp_use_dedicated_embeddings')
  return {
    kvHeads: 4,
    headDim: 256,
    norm: { weightOffset: 1 },
    bias: readAttentionBias(config),
    headNorm: HEAD_NORM,
    gate: 'fused with q',
    rope: rope(config, { partial: 0.25 }),
    mixer: (layer, parts) => {
      if (!isLinear(layer)) return null
      return describeDelta(parts, sizes, {
        projections: inputs(parts, sizes),
        convolutions: [parts.name('linear_attn.conv1d.weight')],
        decay: describeDecay(parts, sizes),
        betaScale: 1,
        gateActivation: 'silu',
        norm: parts.makeNorm(parts.name('linear_attn.norm'), { size: sizes.valueDim, weightOffset: 0 }),
        output: 'linear_attn.out_proj',
      })
    },
    // multi-token prediction
    extras: [/^mtp\./],
  }
}

/** Qwen 3.5: all queries, keys and values from one product. */
function stackedInputs({ linear, sizes: { hidden } }: MixerParts, delta: DeltaSizes): GatedDeltaNetProjections {
  const { keys, values } = countChannels(delta)
  return {
    layout: 'qkv',
    queriesKeysValues: [linear('linear_attn.in_proj_qkv', hidden, 2 * keys + values)],
    gate: [linear('linear_attn.in_proj_z', hidden, values)],
    beta: linear('linear_attn.in_proj_b', hidden, delta.valueHeads),
    decay: [linear('linear_attn.in_proj_a', hidden, delta.valueHeads)],
  }
}

/** Qwen 3 Next: two products, sorted by key head. */
function groupedInputs({ linear, sizes: { hidden } }: MixerParts, delta: DeltaSizes): GatedDeltaNetProjections {
  const { keys, values } = countChannels(delta)
  return {
    layout: 'qkv per group',
    mixed: linear('linear_attn.in_proj_qkvz', hidden, 2 * (keys + values)),
    rates: linear('linear_attn.in_proj_ba', hidden, 2 * delta.valueHeads),
  }
}
