type Sizes = [
  vocabulary: number,
  hidden: number,
  inner: number | null,
  layers: number,
  heads: number,
  positions: number,
]

/**
 * Sizes that transformers takes for a decoder whose `text_config` omits them. In a config.json of its own a decoder
 * states them, but inside another model's, transformers 4 wrote only what differs from the class.
 */
const SIZES: Record<string, Sizes> = {
  apertus1p5_text: [266752, 4096, 14336, 32, 32, 65536],
  arcee: [32000, 2560, 18432, 32, 32, 4096],
  aria_text: [32000, 4096, 4096, 32, 32, 2048],
  cohere: [256000, 8192, 22528, 40, 64, 8192],
  cohere2: [256000, 8192, 22528, 40, 64, 8192],
  deepseek_v3: [129280, 7168, 18432, 61, 128, 4096],
  ernie4_5: [103424, 1024, 3072, 18, 16, 131072],
  exaone4: [102400, 4096, 16384, 32, 32, 2048],
  gemma: [256000, 3072, 24576, 28, 16, 8192],
  gemma2: [256000, 2304, 9216, 26, 8, 8192],
  gemma3_text: [262208, 2304, 9216, 26, 8, 131072],
  gemma4_text: [262144, 2304, 9216, 30, 8, 131072],
  gemma4_unified_text: [262144, 2304, 9216, 30, 8, 262144],
  glm4v_moe_text: [151424, 4096, 10944, 46, 96, 65536],
  glm4v_text: [151552, 4096, 13696, 40, 32, 32768],
  glm_ocr_text: [59392, 1024, 4096, 16, 16, 131072],
  granite: [32000, 4096, 11008, 32, 32, 2048],
  helium: [48000, 2560, 7040, 24, 20, 4096],
  hyperclovax: [32000, 4096, 11008, 32, 32, 2048],
  lfm2: [65536, 2560, 12288, 32, 32, 128000],
  llama: [32000, 4096, 11008, 32, 32, 2048],
  llama4_text: [202048, 5120, 8192, 48, 40, 131072],
  ministral: [32000, 4096, 14336, 32, 32, 131072],
  ministral3: [131072, 4096, 14336, 34, 32, 262144],
  mistral: [32000, 4096, 14336, 32, 32, 131072],
  mixtral: [32000, 4096, 14336, 32, 32, 131072],
  olmo2: [50304, 4096, 11008, 32, 32, 2048],
  phi: [51200, 2048, 8192, 24, 32, 2048],
  phi3: [32064, 3072, 8192, 32, 32, 4096],
  qwen2: [151936, 4096, 22016, 32, 32, 32768],
  qwen2_5_omni_text: [152064, 3584, 18944, 28, 28, 32768],
  qwen2_5_vl_text: [152064, 8192, 29568, 80, 64, 32768],
  qwen2_vl_text: [152064, 8192, 29568, 80, 64, 32768],
  qwen3: [151936, 4096, 22016, 32, 32, 32768],
  qwen3_5_moe_text: [248320, 2048, null, 40, 16, 32768],
  qwen3_5_text: [248320, 4096, 12288, 32, 16, 32768],
  qwen3_moe: [151936, 2048, 6144, 24, 32, 32768],
  qwen3_omni_moe_text: [3584, 2048, 18944, 28, 28, 32768],
  qwen3_vl_moe_text: [151936, 2048, 5632, 24, 16, 128000],
  qwen3_vl_text: [151936, 4096, 22016, 32, 32, 128000],
  seed_oss: [155136, 4096, 27648, 64, 80, 524288],
  smollm3: [128256, 2048, 11008, 36, 16, 32768],
  stablelm: [50304, 2560, 6912, 32, 32, 4096],
}

/** The same as keys of a config, by `model_type`. */
export const TEXT_DEFAULTS: Record<string, Record<string, number>> = Object.fromEntries(
  Object.entries(SIZES).map(([modelType, [vocabulary, hidden, inner, layers, heads, positions]]) => [
    modelType,
    {
      vocab_size: vocabulary,
      hidden_size: hidden,
      ...(inner === null ? {} : { intermediate_size: inner }),
      num_hidden_layers: layers,
      num_attention_heads: heads,
      max_position_embeddings: positions,
    },
  ]),
)
