import type { Experts, Linear } from './description.js'
import type { ExpertParts } from './differences.js'
import type { Family } from './family.js'
import {
  describeExperts,
  describeSharedExpert,
  MIXTRAL_EXPERTS,
  QWEN_EXPERTS,
  readAttentionBias,
  readExpertCount,
  readMultipliers,
  readQwenWindows,
  readSparseLayers,
  rope,
  softmaxRouting,
} from './family-parts.js'
import { readWindow } from './layer-types.js'

/** Decoders with a mixture of experts. */
export const EXPERT_FAMILIES: Record<string, Family> = {
  mixtral: {
    title: 'Mixtral',
    notes: 'experts in all layers',
    describe: (config, has) => {
      const window = readWindow(config, null)
      const settings = {
        names: MIXTRAL_EXPERTS,
        count: readExpertCount(config, 8),
        perToken: config.count('num_experts_per_tok', 2),
        routing: softmaxRouting(true),
        inner: config.count('intermediate_size'),
      }
      return {
        kvHeads: 8,
        norm: { epsilon: 1e-5 },
        rope: rope(config, { theta: 1_000_000 }),
        window: () => window,
        experts: (_layer, parts) => describeExperts(parts, has, settings),
      }
    },
  },
  qwen3_moe: {
    title: 'Qwen 3 30B-A3B and 235B-A22B',
    notes: 'as Qwen 3, with experts',
    windowOffByDefault: true,
    describe: (config, has) => {
      const isSparse = readSparseLayers(config)
      const size = readWindow(config, 4096)
      const window = config.flag('use_sliding_window', false) ? size : null
      config.ignore('intermediate_size', 'max_window_layers')
      const settings = {
        names: QWEN_EXPERTS,
        count: readExpertCount(config, 128),
        perToken: config.count('num_experts_per_tok', 8),
        routing: softmaxRouting(config.flag('norm_topk_prob', false)),
        inner: config.count('moe_intermediate_size', 768),
      }
      return {
        kvHeads: 4,
        bias: readAttentionBias(config),
        headNorm: { span: 'head', query: 'q_norm', key: 'k_norm' },
        rope: rope(config),
        window: () => window,
        experts: (layer, parts) => (isSparse(layer) ? describeExperts(parts, has, settings) : null),
      }
    },
  },
  qwen2_moe: {
    title: 'Qwen 1.5 MoE, Qwen 2 57B-A14B',
    notes: 'as Qwen 2, with experts and one that every token passes',
    windowOffByDefault: true,
    describe: (config, has) => {
      const isSparse = readSparseLayers(config)
      const settings = {
        names: QWEN_EXPERTS,
        count: readExpertCount(config, 60),
        perToken: config.count('num_experts_per_tok', 4),
        routing: softmaxRouting(config.flag('norm_topk_prob', false)),
        inner: config.count('moe_intermediate_size', 1408),
      }
      const sharedInner = config.count('shared_expert_intermediate_size', 5632)
      config.ignore('intermediate_size')
      return {
        kvHeads: 16,
        bias: { qkv: config.flag('qkv_bias', true) },
        rope: rope(config),
        window: readQwenWindows(config, (layer, first) => layer % 2 === 0 && layer < first),
        experts: (layer, parts) => {
          if (!isSparse(layer)) return null
          const shared = describeSharedExpert(parts, sharedInner)
          return { ...describeExperts(parts, has, settings), shared }
        },
      }
    },
  },
  olmoe: {
    title: 'OLMoE',
    notes: 'experts, norms over all queries and all keys',
    describe: (config, has) => {
      const settings = {
        names: QWEN_EXPERTS,
        count: readExpertCount(config, 64),
        perToken: config.count('num_experts_per_tok', 8),
        routing: softmaxRouting(config.flag('norm_topk_prob', false)),
        inner: config.count('intermediate_size'),
      }
      return {
        norm: { epsilon: 1e-5 },
        bias: readAttentionBias(config),
        headNorm: { span: 'all heads', query: 'q_norm', key: 'k_norm' },
        clip: config.positive('clip_qkv', null),
        rope: rope(config),
        experts: (_layer, parts) => describeExperts(parts, has, settings),
      }
    },
  },
  granitemoe: {
    title: 'Granite 3 MoE',
    notes: 'as Granite, with experts stacked in one tensor',
    fixed: { position_embedding_type: 'rope' },
    describe: (config, has) => {
      const count = config.count('num_local_experts', 8)
      const perToken = config.count('num_experts_per_tok', 2)
      const inner = config.count('intermediate_size')
      return {
        ...readMultipliers(config),
        bias: readAttentionBias(config),
        rope: rope(config),
        experts: (_layer, parts) => describeGraniteExperts(parts, has, { count, perToken, inner }),
      }
    },
  },
}

/** Granite's experts in one stack, under the names of published checkpoints or those that transformers 5 can save. */
export function describeGraniteExperts(
  { hidden, activation, name }: ExpertParts,
  has: (name: string) => boolean,
  { count, perToken, inner }: { count: number; perToken: number; inner: number },
): Experts {
  const own = (tensor: string) => name(`block_sparse_moe.${tensor}`)
  const [router, gateUp, down] = has(own('router.weight'))
    ? ['router.weight', 'experts.gate_up_proj', 'experts.down_proj']
    : ['router.layer.weight', 'input_linear.weight', 'output_linear.weight']
  const linear = (tensor: string, inputs: number, outputs: number): Linear => ({
    weight: own(tensor),
    bias: null,
    inputs,
    outputs,
  })
  return {
    router: linear(router!, hidden, count),
    count,
    perToken,
    routing: softmaxRouting(true),
    expert: (index) => ({
      kind: 'gated in one',
      gateUp: { ...linear(gateUp!, hidden, 2 * inner), stack: { count, index } },
      activation,
      down: { ...linear(down!, inner, hidden), stack: { count, index } },
    }),
    shared: null,
  }
}
