import { describeDeepseek3, readIndexer } from './deepseek.js'
import type { ConfigReader } from './describe/config-reader.js'
import type { Differences, LayerNorms } from './describe/differences.js'
import type { Family, Has } from './describe/family.js'
import { HEAD_NORM, readExpertCounts, rope } from './describe/family-parts.js'
import { describeV3Experts, readExtraLayers } from './describe/router-parts.js'

/**
 * Decoders for images have positions of three numbers, one for each section of a rotated head. For text the three are
 * equal, so sections do not matter.
 */
export const GLM_FAMILIES: Record<string, Family> = {
  glm: {
    title: 'GLM 4 9B, GLM Edge',
    notes: 'gate and up in one matrix, half of each head rotated, interleaved',
    describe: describeGlm,
  },
  glm4: {
    title: 'GLM 4 0414, GLM Z1',
    notes: 'as GLM with norms before and after attention and MLP',
    describe: (config) => ({ ...describeGlm(config), norms: GLM4_NORMS }),
  },
  glm4_moe: {
    title: 'GLM 4.5, 4.5 Air and 4.6',
    notes: 'experts chosen by sigmoids and a bias and a shared expert, after the first layers',
    fixed: { moe_layer_freq: 1 },
    describe: (config, has) => describeGlm45(config, has),
  },
  glm4_moe_lite: {
    title: 'GLM 4.7 Flash',
    notes: 'as DeepSeek V3',
    fixed: { moe_layer_freq: 1 },
    firstIsDense: true,
    describe: (config, has) => ({
      ...describeDeepseek3(config, has, {
        experts: { count: 64, topK: 4, intermediateSize: 1536, shared: 1, scale: 1.8 },
        sizes: { own: 192, value: 256, queryLatent: 768 },
        dense: 1,
        extraLayers: 1,
      }),
      norm: { epsilon: 1e-5 },
    }),
  },
  glm_moe_dsa: {
    title: 'GLM 5',
    notes: 'as DeepSeek V3; texts must be short enough for its sparse attention to see all tokens',
    fixed: { moe_layer_freq: 1, rope_interleave: true },
    describe: (config, has) => {
      assertOwnIndexers(config)
      return {
        ...describeDeepseek3(config, has, {
          experts: { count: 256, topK: 8, intermediateSize: 2048, shared: 1, scale: 2.5 },
          sizes: { own: 192, value: 256, queryLatent: 2048 },
          dense: 3,
          extraLayers: 1,
        }),
        ...readIndexer(config),
        norm: { epsilon: 1e-5 },
      }
    },
  },
  glm4v_text: {
    title: 'GLM 4.1V, 4.6V Flash (text)',
    notes: 'as GLM 4 0414; the part of each head that is rotated is stated',
    fixed: { attention_bias: true },
    describe: (config) => ({ ...describeGlmText(config), kvHeads: 2, bias: { qkv: true } }),
  },
  glm4v_moe_text: {
    title: 'GLM 4.5V, 4.6V (text)',
    notes: 'as GLM 4.5',
    fixed: { moe_layer_freq: 1, use_qk_norm: false },
    describe: (config, has) => describeGlm45(config, has, { hasBias: true }),
  },
  glm_ocr_text: {
    title: 'GLM OCR (text)',
    notes: 'as GLM 4 0414 without biases',
    fixed: { attention_bias: false },
    describe: (config) => ({
      ...describeGlmText(config),
      kvHeads: 8,
      extraLayers: readExtraLayers(config, 1),
    }),
  },
}

function describeGlmText(config: ConfigReader): Differences {
  return {
    norm: { epsilon: 1e-5 },
    norms: GLM4_NORMS,
    mlp: 'gated in one',
    rope: rope(config, { partial: 1, interleaved: true }),
  }
}

/** @throws LayerpruneError if a layer reuses the keys chosen by another layer's indexer */
function assertOwnIndexers(config: ConfigReader): void {
  config.expect('index_topk_pattern', null)
  config.expect('index_topk_freq', 1)
  config.ignore('index_skip_topk_offset')
  const types = config.texts('indexer_types', [])
  if (types.some((type) => type !== 'full')) {
    throw config.refuse('indexer_types', 'only full: no layer with the keys that another finds')
  }
}

interface Glm4MoeSettings {
  intermediateSize: number
  /** Whether queries, keys and values have biases. */
  hasBias?: boolean
  isNormed: boolean
  scale: number
  topK: number
  extraLayers: number
}

/**
 * @param usual the family's defaults
 * @param nameKey maps GLM 4.5's keys to those of the config
 */
export function describeGlm4Moe(
  config: ConfigReader,
  has: Has,
  usual: Glm4MoeSettings,
  nameKey = (key: string) => key,
): Differences {
  return {
    kvHeads: 8,
    bias: { qkv: config.flag(nameKey('attention_bias'), usual.hasBias ?? false) },
    ...(config.flag('use_qk_norm', usual.isNormed) && { headNorm: HEAD_NORM }),
    extraLayers: readExtraLayers(config, usual.extraLayers),
    experts: describeV3Experts(config, has, {
      experts: readExpertCounts(config, { count: 128, ...usual }, nameKey('n_routed_experts')),
      isNormalized: true,
      scale: usual.scale,
      firstSparse: 1,
      shared: config.count(nameKey('n_shared_experts'), 1),
    }),
  }
}

function describeGlm45(config: ConfigReader, has: Has, usual?: Pick<Glm4MoeSettings, 'hasBias'>): Differences {
  const sizes = { intermediateSize: 1408, isNormed: false, scale: 1, topK: 8, extraLayers: 1 }
  return {
    ...describeGlm4Moe(config, has, { ...sizes, ...usual }),
    norm: { epsilon: 1e-5 },
    rope: rope(config, { partial: 0.5 }),
  }
}

/** GLM 4: gate and up in one matrix, half of each head rotated, interleaved. */
function describeGlm(config: ConfigReader): Differences {
  return {
    kvHeads: 2,
    headDim: 128,
    norm: { epsilon: 1.5625e-7 },
    bias: { qkv: config.flag('attention_bias', true) },
    mlp: 'gated in one',
    rope: rope(config, { partial: 0.5, interleaved: true }),
  }
}

/** GLM 4 0414: norms before and after attention and MLP. */
const GLM4_NORMS: LayerNorms = {
  afterMixer: 'post_self_attn_layernorm',
  afterMlp: 'post_mlp_layernorm',
}
