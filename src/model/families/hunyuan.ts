import type { ConfigReader } from './describe/config-reader.js'
import type { Differences } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import {
  HEAD_NORM,
  QWEN_EXPERTS,
  readAttentionBias,
  readBiases,
  readExpertCounts,
  rope,
  softmaxRouting,
} from './describe/family-parts.js'
import { readLayerCounts } from './describe/layer-types.js'
import {
  describeRoutedExperts,
  type RoutedExperts,
  readExtraLayers,
  readMlpTypes,
  sigmoidRouting,
} from './describe/router-parts.js'

export const HUNYUAN_FAMILIES: Record<string, Family> = {
  hunyuan_v1_dense: {
    title: 'Hunyuan 0.5B to 7B (dense)',
    notes: 'norms on heads after the rotation',
    fixed: {
      norm_type: 'rms',
      use_qk_norm: true,
      use_rotary_pos_emb: true,
      cla_share_factor: 2,
      use_cla: false,
      class_num: 0,
      pool_type: 'last',
    },
    describe: describeHunyuan,
  },
  hunyuan_v1_moe: {
    title: 'Hunyuan A13B',
    notes: 'as Hunyuan, with experts and a shared expert',
    fixed: {
      class_num: 0,
      cla_share_factor: 2,
      moe_layer_num_skipped: 0,
      norm_topk_prob: true,
      norm_type: 'rms',
      pool_type: 'last',
      routed_scaling_factor: 1,
      use_cla: false,
      use_mixed_mlp_moe: true,
      use_qk_norm: true,
      use_rotary_pos_emb: true,
    },
    describe: describeHunyuanMoe,
  },
  hy_v3: {
    title: 'Hy3',
    notes: 'as GLM 4.5, norms on the heads of queries and keys',
    fixed: { first_k_dense_replace: 1, qk_norm: true, route_norm: true, moe_router_use_sigmoid: true },
    firstIsDense: true,
    describe: describeHunyuan3,
  },
}

function describeHunyuan(config: ConfigReader): Differences {
  config.ignore('attention_head_dim', 'dense_list')
  return {
    norm: { epsilon: 1e-5 },
    bias: readAttentionBias(config),
    headNorm: { span: 'head', query: 'query_layernorm', key: 'key_layernorm', afterRope: true },
    rope: rope(config, { knowsAlpha: true }),
  }
}

function describeHunyuanMoe(config: ConfigReader, has: Has): Differences {
  const intermediateSize = config.count('intermediate_size')
  const topK = readLayerCounts(config, 'moe_topk', 1)
  const count = readSame(config, 'num_experts', 1)
  config.expect('num_experts_per_tok', topK(0))
  expectSame(config, 'moe_intermediate_size', intermediateSize)
  expectSame(config, 'num_shared_expert', 1)
  config.ignore('capacity_factor')
  const routed = {
    names: { ...QWEN_EXPERTS, router: 'mlp.gate.wg', fusedRouter: 'mlp.gate.wg' },
    count,
    routing: softmaxRouting(true),
    intermediateSize,
    correctionBias: null,
    shared: { modules: ['mlp.shared_mlp'], intermediateSize },
  }
  return {
    ...describeHunyuan(config),
    experts: (layer, parts) => describeRoutedExperts(parts, has, { ...routed, topK: topK(layer) }),
  }
}

/** A count that may be stated for each layer, but must be the same in all layers. */
function readSame(config: ConfigReader, key: string, otherwise: number): number {
  const countOf = readLayerCounts(config, key, otherwise)
  const first = countOf(0)
  for (let layer = 1; layer < config.layers('num_hidden_layers'); layer++) {
    if (countOf(layer) !== first) throw config.refuse(key, 'the same count for all layers')
  }
  return first
}

/** Checks a count that the published code reads but transformers assumes. */
function expectSame(config: ConfigReader, key: string, count: number): void {
  if (readSame(config, key, count) !== count) throw config.refuse(key, `${count} in all layers`)
}

function describeHunyuan3(config: ConfigReader, has: Has): Differences {
  const counts = readExpertCounts(config, { count: 192, topK: 8, intermediateSize: 1536 }, 'num_experts')
  const isSparse = readMlpTypes(config) ?? ((layer) => layer >= 1)
  config.ignore('enable_moe_fp32_combine', 'intermediate_size')
  const routed: RoutedExperts = {
    names: { ...QWEN_EXPERTS, router: 'mlp.router.gate' },
    ...counts,
    routing: sigmoidRouting(config.number('router_scaling_factor', 2.826)),
    correctionBias: ['mlp.expert_bias', 'mlp.e_score_correction_bias'],
    shared: {
      modules: ['mlp.shared_mlp', 'mlp.shared_experts'],
      intermediateSize: counts.intermediateSize * config.count('num_shared_experts', 1),
    },
  }
  return {
    kvHeads: 8,
    headDim: 128,
    norm: { epsilon: 1e-5 },
    bias: readBiases(config),
    headNorm: HEAD_NORM,
    rope: rope(config, { theta: 11_158_840 }),
    extraLayers: readExtraLayers(config),
    experts: (layer, parts) => (isSparse(layer) ? describeRoutedExperts(parts, has, routed) : null),
  }
}
