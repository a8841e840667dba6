import type { Architecture } from './architecture.js'
import { GPT_ARCHITECTURES } from './architectures/gpt.js'
import { LLAMA_VARIANTS } from './architectures/llama-variants.js'
import { NORM_ARCHITECTURES } from './architectures/norms.js'
import { CONVOLUTION_ARCHITECTURES } from './architectures/with-convolution.js'
import { EXPERT_ARCHITECTURES } from './architectures/with-experts.js'

/** By `general.architecture`. */
export const ARCHITECTURES: Record<string, Architecture> = {
  ...LLAMA_VARIANTS,
  ...NORM_ARCHITECTURES,
  ...GPT_ARCHITECTURES,
  ...EXPERT_ARCHITECTURES,
  ...CONVOLUTION_ARCHITECTURES,
}
