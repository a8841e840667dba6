import { describeDeepseek3 } from './deepseek.js'
import type { ConfigReader } from './describe/config-reader.js'
import type { Differences } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import { rope } from './describe/family-parts.js'
import { describeGlm4Moe } from './glm.js'

export const SARVAM_FAMILIES: Record<string, Family> = {
  sarvam_moe: {
    title: 'Sarvam 30B',
    notes: 'as GLM 4.5, norms on heads; queries, keys and values from one matrix',
    fixed: {
      moe_router_enable_expert_bias: true,
      norm_head: false,
      router_dtype: 'fp32',
      score_function: 'sigmoid',
      use_bias: false,
      use_rmsnorm: true,
    },
    describe: describeSarvam,
  },
  sarvam_mla: {
    title: 'Sarvam 105B',
    notes: 'as DeepSeek V3',
    fixed: { moe_layer_freq: 1 },
    describe: (config, has) => {
      config.ignore('q_head_dim')
      return describeDeepseek3(config, has, {
        experts: { count: 128, topK: 8, intermediateSize: 2048, shared: 1, scale: 2.5 },
        sizes: { queryLatent: null },
        dense: 1,
        extraLayers: 0,
      })
    },
  },
}

/** GLM 4.5's keys and their names in Sarvam's published config. */
const SARVAM_KEYS: Record<string, string> = {
  attention_bias: 'use_qkv_bias',
  n_routed_experts: 'num_experts',
  n_shared_experts: 'num_shared_experts',
}

/** Published under its own names; transformers 5 saves it under GLM 4.5's. */
function describeSarvam(config: ConfigReader, has: Has): Differences {
  const usual = { intermediateSize: 1024, isNormed: true, scale: 2.5, topK: 6, extraLayers: 0 }
  const common: Differences = {
    ...describeGlm4Moe(config, has, usual, (key) => config.choose(SARVAM_KEYS[key]!, key)),
    kvHeads: 4,
    headDim: 64,
    rope: rope(config, { theta: 8_000_000, partial: 1 }),
  }
  const isPublished = ['model.', ''].some((prefix) => has(`${prefix}word_embeddings.weight`))
  if (!isPublished) return common
  return {
    ...common,
    names: {
      embedding: 'word_embeddings',
      attention: 'attention',
      packed: 'query_key_value',
      output: 'dense',
    },
    layout: 'qkv',
    ...(common.headNorm && {
      headNorm: { span: 'head', query: 'query_layernorm', key: 'key_layernorm' },
    }),
  }
}
