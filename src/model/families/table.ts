import { APERTUS_FAMILIES } from './apertus.js'
import { ARCEE_FAMILIES } from './arcee.js'
import { ARIA_FAMILIES } from './aria.js'
import { AXK1_FAMILIES } from './axk1.js'
import { BAILING_FAMILIES } from './bailing.js'
import { BLOOM_FAMILIES } from './bloom.js'
import { COHERE_FAMILIES } from './cohere.js'
import { CTRL_FAMILIES } from './ctrl.js'
import { DEEPSEEK_FAMILIES } from './deepseek.js'
import type { Family } from './describe/family.js'
import { ERNIE_FAMILIES } from './ernie.js'
import { EXAONE_FAMILIES } from './exaone.js'
import { FALCON_FAMILIES } from './falcon.js'
import { FLINT_FAMILIES } from './flint.js'
import { GEMMA_FAMILIES } from './gemma.js'
import { GEMMA4_FAMILIES } from './gemma4.js'
import { GLM_FAMILIES } from './glm.js'
import { GPT_FAMILIES } from './gpt.js'
import { GPT_OSS_FAMILIES } from './gpt-oss.js'
import { GRANITE_FAMILIES } from './granite.js'
import { HUNYUAN_FAMILIES } from './hunyuan.js'
import { INTERNLM_FAMILIES } from './internlm.js'
import { KIMI_FAMILIES } from './kimi.js'
import { KOLIBRI_FAMILIES } from './kolibri.js'
import { LAGUNA_FAMILIES } from './laguna.js'
import { LFM_FAMILIES } from './lfm.js'
import { LLAMA_FAMILIES } from './llama.js'
import { MAMBA_FAMILIES } from './mamba.js'
import { MIMO_FAMILIES } from './mimo.js'
import { MINICPM_FAMILIES } from './minicpm.js'
import { MINIMAX_FAMILIES } from './minimax.js'
import { MISTRAL_FAMILIES } from './mistral.js'
import { MPT_FAMILIES } from './mpt.js'
import { NEMOTRON_FAMILIES } from './nemotron.js'
import { OLMO_FAMILIES } from './olmo.js'
import { OPT_FAMILIES } from './opt.js'
import { OTHERS_FAMILIES } from './others.js'
import { PHI_FAMILIES } from './phi.js'
import { QWEN_FAMILIES } from './qwen.js'
import { SARVAM_FAMILIES } from './sarvam.js'
import { ZAMBA_FAMILIES } from './zamba.js'

/** The families that can be read from safetensors, each described by its differences from Llama. */
export const FAMILIES: Record<string, Family> = {
  ...APERTUS_FAMILIES,
  ...ARCEE_FAMILIES,
  ...ARIA_FAMILIES,
  ...AXK1_FAMILIES,
  ...BAILING_FAMILIES,
  ...BLOOM_FAMILIES,
  ...COHERE_FAMILIES,
  ...CTRL_FAMILIES,
  ...DEEPSEEK_FAMILIES,
  ...ERNIE_FAMILIES,
  ...EXAONE_FAMILIES,
  ...FALCON_FAMILIES,
  ...FLINT_FAMILIES,
  ...GEMMA_FAMILIES,
  ...GEMMA4_FAMILIES,
  ...GLM_FAMILIES,
  ...GPT_FAMILIES,
  ...GPT_OSS_FAMILIES,
  ...GRANITE_FAMILIES,
  ...HUNYUAN_FAMILIES,
  ...INTERNLM_FAMILIES,
  ...KIMI_FAMILIES,
  ...KOLIBRI_FAMILIES,
  ...LAGUNA_FAMILIES,
  ...LFM_FAMILIES,
  ...LLAMA_FAMILIES,
  ...MAMBA_FAMILIES,
  ...MIMO_FAMILIES,
  ...MINICPM_FAMILIES,
  ...MINIMAX_FAMILIES,
  ...MISTRAL_FAMILIES,
  ...MPT_FAMILIES,
  ...NEMOTRON_FAMILIES,
  ...OLMO_FAMILIES,
  ...OPT_FAMILIES,
  ...OTHERS_FAMILIES,
  ...PHI_FAMILIES,
  ...QWEN_FAMILIES,
  ...SARVAM_FAMILIES,
  ...ZAMBA_FAMILIES,
}
