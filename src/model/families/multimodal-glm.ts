import type { ConfigReader } from './config-reader.js'
import type { Differences } from './differences.js'
import type { Family } from './family.js'
import { GLM4_NORMS } from './family-bases.js'
import { rope } from './family-parts.js'
import { readExtraLayers } from './router-parts.js'
import { describeGlm4Moe } from './with-router.js'

/**
 * GLM's decoders inside models of images and text. A position has three numbers, of which each section of a rotated
 * head takes one; those of a text are equal, so that sections do not matter.
 */
export const MULTIMODAL_GLM_FAMILIES: Record<string, Family> = {
  glm4v_text: {
    title: 'GLM 4.1V, 4.6V Flash (text)',
    notes: 'as GLM 4 0414; the part of each head that is rotated is stated',
    fixed: { attention_bias: true },
    describe: (config) => ({ ...describeGlmText(config), kvHeads: 2, bias: { qkv: true } }),
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
  glm4v_moe_text: {
    title: 'GLM 4.5V, 4.6V (text)',
    notes: 'as GLM 4.5',
    fixed: { moe_layer_freq: 1, use_qk_norm: false },
    describe: (config, has) => ({
      ...describeGlm4Moe(config, has, {
        inner: 1408,
        hasBias: true,
        isNormed: false,
        scale: 1,
        perToken: 8,
        extraLayers: 1,
      }),
      norm: { epsilon: 1e-5 },
      rope: rope(config, { partial: 0.5 }),
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
