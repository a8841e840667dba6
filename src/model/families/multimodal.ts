import type { ConfigReader } from './config-reader.js'
import type { Linear } from './description.js'
import type { Differences } from './differences.js'
import type { Family } from './family.js'
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

/**
 * Decoders that exist only inside models of images and text. Their rotary embedding has three positions, one for time,
 * one for the row and one for the column of an image; those of a text are equal, which is the usual embedding.
 */
export const MULTIMODAL_FAMILIES: Record<string, Family> = {
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
          perToken: 8,
          inner: 768,
          isNormalized: config.flag('norm_topk_prob', true),
        }),
      }
    },
  },
  qwen3_vl_text: {
    title: 'Qwen 3 VL (text)',
    notes: 'as Qwen 3',
    windowOffByDefault: true,
    describe: (config) => ({ ...describeQwen3Text(config), kvHeads: 32, headDim: 128 }),
  },
  qwen3_vl_moe_text: {
    title: 'Qwen 3 VL 30B-A3B and 235B-A22B (text)',
    notes: 'as Qwen 3, with experts in one stack, transposed in published files',
    fixed: { norm_topk_prob: true },
    windowOffByDefault: true,
    describe: (config, has) => ({
      ...describeQwen3Text(config),
      kvHeads: 16,
      experts: readQwen3Experts(config, has, {
        count: 60,
        perToken: 4,
        inner: 1408,
        isNormalized: true,
        transposed: 'by shape',
      }),
    }),
  },
}

/** @param usual what the family has if the config does not say */
function readQwen3Experts(
  config: ConfigReader,
  has: (name: string) => boolean,
  usual: {
    count: number
    perToken: number
    inner: number
    isNormalized: boolean
    transposed?: Linear['transposed']
  },
): NonNullable<Differences['experts']> {
  const isSparse = readSparseLayers(config)
  const settings = {
    names: QWEN_EXPERTS,
    count: readExpertCount(config, usual.count),
    perToken: config.count('num_experts_per_tok', usual.perToken),
    routing: softmaxRouting(usual.isNormalized),
    inner: config.count('moe_intermediate_size', usual.inner),
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
    headNorm: { span: 'head', query: 'q_norm', key: 'k_norm' },
    rope: rope(config, { theta }),
  }
}
