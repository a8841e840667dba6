/** Fixtures whose configs mention layers by number or by period: cuts at different places change different keys. */
export const CONFIGURED_BY_LAYER = `
  afmoe axk1 axk1-fused bailing-hybrid bailing-hybrid-fused bamba cohere2 cohere2-moe cwm deepseek-v2
  deepseek-v2-lite deepseek-v3 deepseek-v3-fused deepseek-v32 dots1 ernie4-5-moe exaone-moe exaone4
  exaone4-full flint gemma2 gemma2-no-caps gemma3 gemma3-scaled gemma3-vl gemma4 gemma4-e2b gemma4-listed
  gemma4-moe gemma4-unified gemma4-vl glm4-moe glm4-moe-lite glm4v-moe gpt-neo gpt-oss granite-hybrid
  granite-swa hy-v3 kimi-linear kimi-linear-fused kolibri1 laguna lfm2 lfm2-moe lfm2-vl lfm3 llama4 mellum
  mimo-v2-flash minicpm minicpm3 minicpm3-bias minimax ministral nemotron-h nemotron-h-latent
  nemotron-h-mlp-last olmo-hybrid olmo3 qwen2-moe qwen2-window qwen3-5 qwen3-5-moe qwen3-5-vl qwen3-moe
  qwen3-moe-64 qwen3-moe-fused qwen3-moe-mixed qwen3-next qwen3-window recurrent-gemma sarvam-mla smollm3 smollm3-window
`
  .trim()
  .split(/\s+/)

/** Fixtures whose configs name tensors and layers exactly as another fixture of their family does. */
export const VARIANTS = `
  cohere-bias falcon-alibi falcon-h1 falcon-h1-no-norm falcon-mamba falcon-new falcon-sequential
  gemma-untied gpt-neox-japanese gpt-neox-sequential gpt2-unscaled granite-bias llama-bias llama-dynamic
  llama-head-dim llama-linear llama-llama3 llama-yarn llama-yarn-mscale minimax-computed mistral-window
  mixtral-window olmo-hybrid-rope olmo2-bias opt-post-norm phi-norm phi3-longrope phi3-longrope-partial
  qwen2-yarn stablelm-one-key-head stablelm-parallel starcoder2-plain
`
  .trim()
  .split(/\s+/)
