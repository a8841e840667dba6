/** Facts of models by `model_type` needed while files are opened; those needed later are in `model/families`. */

/** What the config or the weights of a decoder leave out. */
export interface DecoderFacts {
  /** Rows of its table of learnt positions if the config states none, as in transformers. */
  learntPositions?: number
  /** No layer has attention, and the config states no heads. */
  hasHeads?: false
  /** Keys that name a kind for each layer, as a list or as letters: their number is that of the layers. */
  layerKinds?: string[]
  /** The config says with two flags, not with a number, how many heads share keys and values. */
  flagsMultiQuery?: true
  /** Matrices that are stored as [inputs, outputs]. */
  transposed?: RegExp
}

/** By the `model_type` of the decoder. */
export const DECODERS = {
  biogpt: { learntPositions: 1024 },
  falcon: { flagsMultiQuery: true },
  falcon_mamba: { hasHeads: false },
  gpt2: { learntPositions: 1024, transposed: /\.(c_attn|c_proj|c_fc|q_attn)\.weight$/ },
  gpt_bigcode: { learntPositions: 1024 },
  gpt_neo: { learntPositions: 2048 },
  mamba: { hasHeads: false },
  mamba2: { hasHeads: false },
  nemotron_h: { layerKinds: ['layers_block_type', 'hybrid_override_pattern'] },
  'openai-gpt': { learntPositions: 512 },
  opt: { learntPositions: 2048 },
} satisfies Record<string, DecoderFacts>

/** What transformers makes of the config of a model that wraps a decoder. */
export interface Wrapper {
  /** `model_type` of the decoder if `text_config` states none. */
  text: string
  /** The decoder is of that type, whatever `text_config` states. */
  isFixed?: true
  /** Whether the head is the embedding if the top omits it; `text`: if `text_config` says so too; `never`: never. */
  tied: boolean | 'text' | 'never'
  /** Published configs may state the decoder's keys at the top, without `text_config`. */
  isFlat?: true
  /** The wrapper's head applies the decoder's own factor or cap to logits; the others omit both. */
  scalesLogits?: true
  /** Cuts were compared in transformers with the whole model, its layers passed over: test/interop/decoders.test.ts. */
  isCutProven?: true
  /** Why the decoder cannot be run on text alone as causal decoders are. */
  refused?: string
}

const CROSS_ATTENTION = 'some of its layers attend to the features of images'
const FOUR_STREAMS = 'a token has four states side by side (AltUp), not one residual stream'
const PREFIX = 'tokens of its prompt see those that follow'

/** By the `model_type` at the top of config.json. */
export const WRAPPERS: Record<string, Wrapper> = {
  apertus1p5: { text: 'apertus1p5_text', isFixed: true, tied: false },
  aria: { text: 'aria_text', isFixed: true, tied: false },
  audioflamingo3: { text: 'qwen2', tied: 'never' },
  aya_vision: { text: 'cohere2', tied: true, isCutProven: true },
  cohere2_vision: { text: 'cohere2', tied: true },
  deepseek_vl: { text: 'llama', tied: true },
  deepseek_vl_hybrid: { text: 'llama', tied: true },
  exaone4_5: { text: 'exaone4', tied: false },
  gemma3: { text: 'gemma3_text', isFixed: true, tied: true, isCutProven: true },
  gemma3n: { text: 'gemma3n_text', isFixed: true, tied: true, scalesLogits: true, refused: FOUR_STREAMS },
  gemma4: { text: 'gemma4_text', isFixed: true, tied: true, scalesLogits: true, isCutProven: true },
  gemma4_unified: { text: 'gemma4_unified_text', isFixed: true, tied: true, scalesLogits: true },
  glm46v: { text: 'glm4v_text', tied: false },
  glm4v: { text: 'glm4v_text', isFixed: true, tied: 'text', isCutProven: true },
  glm4v_moe: { text: 'glm4v_moe_text', isFixed: true, tied: 'text' },
  glm_ocr: { text: 'glm_ocr_text', isFixed: true, tied: 'text' },
  glmasr: { text: 'llama', tied: true },
  got_ocr2: { text: 'qwen2', tied: true },
  granite_speech: { text: 'granite', tied: true },
  granite_speech_plus: { text: 'granite', tied: true },
  hyperclovax_vision_v2: { text: 'hyperclovax', tied: true, scalesLogits: true },
  idefics2: { text: 'mistral', tied: false },
  idefics3: { text: 'llama', tied: false, isCutProven: true },
  internvl: { text: 'qwen2', tied: true, isCutProven: true },
  janus: { text: 'llama', tied: true },
  kimi_k25: { text: 'deepseek_v3', tied: true },
  lfm2_vl: { text: 'lfm2', tied: true, isCutProven: true },
  lighton_ocr: { text: 'qwen3', tied: true },
  llama4: { text: 'llama4_text', isFixed: true, tied: 'text' },
  llava: { text: 'llama', tied: 'text', isCutProven: true },
  llava_next: { text: 'llama', tied: false, isCutProven: true },
  llava_next_video: { text: 'llama', tied: 'text' },
  llava_onevision: { text: 'qwen2', tied: 'text', isCutProven: true },
  minicpm_ocr: { text: 'qwen3_5_text', tied: true },
  minicpmv4_6: { text: 'qwen3_5_text', tied: false },
  minicpmv4_7: { text: 'qwen3_5_text', tied: false },
  mistral3: { text: 'mistral', tied: true, isCutProven: true },
  mllama: { text: 'mllama_text_model', isFixed: true, tied: 'never', refused: CROSS_ATTENTION },
  moss_transcribe_diarize: { text: 'qwen3', tied: true },
  musicflamingo: { text: 'qwen2', tied: 'never' },
  ovis2: { text: 'qwen2', tied: true },
  paligemma: { text: 'gemma', tied: true, scalesLogits: true, refused: PREFIX, isCutProven: true },
  qianfan_ocr: { text: 'qwen3', tied: false },
  qwen2_5_omni_thinker: { text: 'qwen2_5_omni_text', isFixed: true, tied: false },
  qwen2_5_vl: { text: 'qwen2_5_vl_text', isFixed: true, tied: 'text', isFlat: true, isCutProven: true },
  qwen2_audio: { text: 'qwen2', tied: 'never' },
  qwen2_vl: { text: 'qwen2_vl_text', isFixed: true, tied: 'text', isFlat: true, isCutProven: true },
  qwen3_5: { text: 'qwen3_5_text', isFixed: true, tied: false, isCutProven: true },
  qwen3_5_moe: { text: 'qwen3_5_moe_text', isFixed: true, tied: false, isCutProven: true },
  qwen3_omni_moe_thinker: { text: 'qwen3_omni_moe_text', isFixed: true, tied: false },
  qwen3_vl: { text: 'qwen3_vl_text', isFixed: true, tied: false, isCutProven: true },
  qwen3_vl_moe: { text: 'qwen3_vl_moe_text', isFixed: true, tied: false, isCutProven: true },
  smolvlm: { text: 'llama', tied: false, isCutProven: true },
  vibevoice_asr: { text: 'qwen2', tied: 'never' },
  video_llama_3: { text: 'qwen2', tied: 'text' },
  video_llava: { text: 'llama', tied: false },
  vipllava: { text: 'llama', tied: false, isCutProven: true },
  voxtral: { text: 'llama', tied: 'never' },
}

/** Nothing for a decoder of which there is nothing to know. */
export function findDecoderFacts(modelType: unknown): DecoderFacts {
  const table: Record<string, DecoderFacts> = DECODERS
  return typeof modelType === 'string' && Object.hasOwn(table, modelType) ? table[modelType]! : {}
}

/** @returns undefined if it is not known how models of this `model_type` hold their decoder */
export function findWrapper(modelType: unknown): Wrapper | undefined {
  return typeof modelType === 'string' && Object.hasOwn(WRAPPERS, modelType) ? WRAPPERS[modelType] : undefined
}
