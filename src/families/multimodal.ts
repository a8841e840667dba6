import type { ConfigReader } from './config-reader.js'
import type { Differences } from './differences.js'
import {
  describeExperts,
  QWEN_EXPERTS,
  readAttentionBias,
  readExpertCount,
  readQwenWindows,
  readSparseLayers,
  rope,
  softmaxRouting,
} from './family-parts.js'
import type { Family } from './table.js'

/**
 * Decoders that exist only inside models of images and text. Their rotary embedding has three positions, one for time,
 * one for the row and one for the column of an image; those of a text are equal, which is the usual embedding.
 */
export const MULTIMODAL_FAMILIES: Record<string, Family> = {
  qwen2_vl_text: {
    title: 'Qwen 2 VL (text)',
    notes: 'as Qwen 2',
    describe: describeQwen2Text,
  },
  qwen2_5_vl_text: {
    title: 'Qwen 2.5 VL (text)',
    notes: 'as Qwen 2',
    describe: describeQwen2Text,
  },
  qwen3_vl_text: {
    title: 'Qwen 3 VL (text)',
    notes: 'as Qwen 3',
    describe: (config) => ({ ...describeQwen3Text(config), kvHeads: 32, headDim: 128 }),
  },
  qwen3_vl_moe_text: {
    title: 'Qwen 3 VL 30B-A3B and 235B-A22B (text)',
    notes: 'as Qwen 3, with experts in one stack, transposed in published files',
    fixed: { norm_topk_prob: true },
    describe: (config, has) => {
      const isSparse = readSparseLayers(config)
      const settings = {
        names: QWEN_EXPERTS,
        count: readExpertCount(config, 60),
        perToken: config.count('num_experts_per_tok', 4),
        routing: softmaxRouting(true),
        inner: config.count('moe_intermediate_size', 1408),
        transposed: 'by shape' as const,
      }
      config.ignore('intermediate_size')
      return {
        ...describeQwen3Text(config),
        kvHeads: 16,
        experts: (layer, parts) => (isSparse(layer) ? describeExperts(parts, has, settings) : null),
      }
    },
  },
}

function describeQwen2Text(config: ConfigReader): Differences {
  return {
    kvHeads: 8,
    norm: { epsilon: 1e-5 },
    bias: { qkv: true },
    rope: rope(config, { theta: 1_000_000, knowsMrope: true }),
    window: readQwenWindows(config, (layer, first) => layer >= first, 80),
  }
}

function describeQwen3Text(config: ConfigReader): Differences {
  return {
    bias: readAttentionBias(config),
    headNorm: { span: 'head', query: 'q_norm', key: 'k_norm' },
    rope: rope(config, { theta: 500_000 }),
  }
}
