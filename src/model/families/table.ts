import { BAILING_FAMILIES } from './bailing.js'
import { BLOOM_FAMILIES } from './bloom.js'
import { DBRX_FAMILIES } from './dbrx.js'
import type { Family } from './family.js'
import { FIRST_MAMBA_FAMILIES } from './first-mamba.js'
import { GEMMA_FAMILIES } from './gemma.js'
import { GEMMA4_FAMILIES } from './gemma4.js'
import { GPT_FAMILIES } from './gpt.js'
import { GPT_KIN } from './gpt-kin.js'
import { SHARED_GRANITE_FAMILIES } from './granite-moe.js'
import { WINDOWED_GRANITE_FAMILIES } from './granite-swa.js'
import { KIMI_FAMILIES } from './kimi.js'
import { LLAMA_FAMILIES } from './llama.js'
import { LLAMA_KIN } from './llama-kin.js'
import { LLAMA4_FAMILIES } from './llama4.js'
import { MINIMAX_FAMILIES } from './minimax.js'
import { MULTIMODAL_FAMILIES } from './multimodal.js'
import { MULTIMODAL_GLM_FAMILIES } from './multimodal-glm.js'
import { NEMOTRON_H_FAMILIES } from './nemotron-h.js'
import { NORM_FAMILIES } from './norms.js'
import { PHIMOE_FAMILIES } from './phimoe.js'
import { RECURRENT_GEMMA_FAMILIES } from './recurrent-gemma.js'
import { ROUTED_KIN } from './routed-kin.js'
import { WINDOWED_MIXTURES } from './routed-with-windows.js'
import { CONVOLUTION_FAMILIES } from './with-convolution.js'
import { DELTA_FAMILIES } from './with-delta.js'
import { EXPERT_FAMILIES } from './with-experts.js'
import { LATENT_FAMILIES } from './with-latent.js'
import { MAMBA_FAMILIES } from './with-mamba.js'
import { ROUTER_FAMILIES } from './with-router.js'
import { SINK_FAMILIES } from './with-sinks.js'
import { ZAMBA2_FAMILIES } from './zamba2.js'

/** The families that can be read from safetensors, each described by its differences from Llama. */
export const FAMILIES: Record<string, Family> = {
  ...LLAMA_FAMILIES,
  ...GEMMA_FAMILIES,
  ...NORM_FAMILIES,
  ...GPT_FAMILIES,
  ...BLOOM_FAMILIES,
  ...EXPERT_FAMILIES,
  ...LLAMA_KIN,
  ...GPT_KIN,
  ...SHARED_GRANITE_FAMILIES,
  ...WINDOWED_GRANITE_FAMILIES,
  ...PHIMOE_FAMILIES,
  ...DELTA_FAMILIES,
  ...MULTIMODAL_FAMILIES,
  ...MULTIMODAL_GLM_FAMILIES,
  ...CONVOLUTION_FAMILIES,
  ...RECURRENT_GEMMA_FAMILIES,
  ...MINIMAX_FAMILIES,
  ...SINK_FAMILIES,
  ...GEMMA4_FAMILIES,
  ...KIMI_FAMILIES,
  ...ROUTER_FAMILIES,
  ...LATENT_FAMILIES,
  ...BAILING_FAMILIES,
  ...ROUTED_KIN,
  ...WINDOWED_MIXTURES,
  ...LLAMA4_FAMILIES,
  ...DBRX_FAMILIES,
  ...MAMBA_FAMILIES,
  ...FIRST_MAMBA_FAMILIES,
  ...ZAMBA2_FAMILIES,
  ...NEMOTRON_H_FAMILIES,
}
