import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { interpretConfig } from '../../../src/files/checkpoint/config.js'
import type { TensorLocation } from '../../../src/files/checkpoint/safetensors.js'
import { describeDecoder } from '../../../src/model/builder/build-decoder.js'
import { FAMILIES } from '../../../src/model/families/table.js'
import { buildFrom, fixtureFolder, isSameGraph, readConfig } from '../../support/fixture-model.js'
import { FIXTURES } from '../../support/paths.js'

type Config = Record<string, unknown>

/** Configs as versions of transformers save them, by test/fixtures/make-configs.py. */
const DEFAULTS: Record<string, { common: Config } & Record<string, Config>> = JSON.parse(
  readFileSync(join(FIXTURES, 'default-configs.json'), 'utf8'),
)

/** So many and so large that no count of a config exceeds them. */
const TENSORS = new Map<string, TensorLocation>(
  Array.from({ length: 100 }, (_, index) => {
    const name = `tensor.${index}`
    return [name, { name, dtype: 'BF16', shape: [300_000], file: '', offsetBytes: 0, sizeBytes: 600_000 }]
  }),
)

/** Families whose defaults in transformers are of no model that could run. */
const INCOMPLETE: Record<string, RegExp> = {
  dots1: /does not state n_routed_experts/,
  glm4_moe: /rotates 21 elements of heads of 42/,
  qwen3_omni_moe_text: /rotates 73 elements of heads of 73/,
  glm4v_moe_text: /rotates 21 elements of heads of 42/,
}

describe.each(Object.keys(DEFAULTS))('the default config that transformers %s saves', (version) => {
  const { common, ...families } = DEFAULTS[version]!
  const complete = Object.entries(families).filter(([family]) => !Object.hasOwn(INCOMPLETE, family))
  it.each(complete)('of %s is understood', (_family, own) => {
    const config = interpretConfig({ ...common, ...own }, 'config.json')
    expect(describeDecoder(config, TENSORS).layers).toHaveLength(config.layers)
  })
})

it.each(Object.entries(INCOMPLETE))('of %s is refused', (family, reason) => {
  const { common, [family]: own } = DEFAULTS['5.24.0']!
  const config = interpretConfig({ ...common, ...own }, 'config.json')
  expect(() => describeDecoder(config, TENSORS)).toThrow(reason)
})

it('are known of every family but those of published code, as the newer version saves them', () => {
  const known = Object.keys(DEFAULTS['5.24.0']!)
  const published = Object.keys(FAMILIES).filter((family) => !known.includes(family))
  expect(published.sort()).toEqual(['internlm2', 'kimi_k2', 'minicpm'])
})

/** What published configs have beside the keys of a fixture. */
const PUBLISHED: [model: string, fixture: string, keys: Config][] = [
  [
    'deepseek-ai/DeepSeek-V2-Lite-Chat',
    'deepseek-v2-lite',
    { n_group: 1, topk_group: 1, topk_method: 'greedy', aux_loss_alpha: 0.001, num_key_value_heads: 3 },
  ],
  ['moonshotai/Moonlight-16B-A3B', 'deepseek-v3-fused', { num_nextn_predict_layers: 0, scoring_func: 'sigmoid' }],
  ['moonshotai/Kimi-K2-Instruct', 'deepseek-v3', { model_type: 'kimi_k2', ep_size: 1, seq_aux: true }],
  ['zai-org/GLM-4.7-Flash', 'glm4-moe-lite', { rope_scaling: null, partial_rotary_factor: 1 }],
  ['openbmb/MiniCPM3-4B', 'minicpm3', { attention_bias: false, hidden_act: 'silu' }],
  [
    'HuggingFaceTB/SmolLM2-135M',
    'llama-linear',
    { is_llama_config: true, rope_interleaved: false, pretraining_tp: 1, mlp_bias: false, head_dim: null },
  ],
  ['tiiuae/Falcon3-7B-Base', 'llama', { activation: 'swiglu', _name_or_path: 'here', rope_scaling: null }],
  ['an unsloth fine-tune', 'llama', { unsloth_fixed: true, _attn_implementation_autoset: true }],
  ['deepseek-ai/DeepSeek-R1-Distill-Qwen-7B', 'qwen2', { use_mrope: false, use_sliding_window: false }],
  [
    'Qwen/Qwen2.5-7B-Instruct-1M',
    'qwen2',
    { dual_chunk_attention_config: { chunk_size: 262144, local_size: 8192 }, max_window_layers: 28 },
  ],
  ['google/gemma-7b-it', 'gemma', { hidden_act: 'gelu', hidden_activation: null, rope_scaling: null }],
  ['google/gemma-1.1-2b-it', 'gemma', { hidden_act: 'gelu', hidden_activation: 'gelu_pytorch_tanh' }],
  [
    'google/gemma-2-2b-it',
    'gemma2',
    { hidden_act: 'gelu_pytorch_tanh', cache_implementation: 'hybrid', sliding_window_size: 5 },
  ],
  ['google/gemma-3-270m', 'gemma3', { _sliding_window_pattern: 6, use_bidirectional_attention: false }],
  [
    'CohereForAI/c4ai-command-r7b-12-2024',
    'cohere2',
    {
      layer_switch: 3,
      order_of_interleaved_layers: 'local_attn_first',
      position_embedding_type: 'rope_gptj',
      rotary_pct: 1,
      use_embedding_sharing: true,
      use_gated_activation: true,
      use_parallel_block: true,
      use_parallel_embedding: true,
      sliding_window_pattern: 3,
    },
  ],
  [
    'tencent/Hunyuan-7B-Instruct',
    'hunyuan',
    {
      add_classification_head: false,
      attention_head_dim: 128,
      cla_share_factor: 2,
      class_num: 0,
      dense_list: [4096, 0],
      im_end_id: 5,
      im_newline_id: 11,
      im_start_id: 4,
      mask_init_id: 12,
      mlp_bias: false,
      norm_type: 'rms',
      org_vocab_size: 128167,
      pad_id: 127961,
      pool_type: 'last',
      sep_token_id: 127962,
      text_end_id: 7,
      text_start_id: 6,
      use_cla: false,
      use_qk_norm: true,
      use_rotary_pos_emb: true,
    },
  ],
  [
    'bigcode/gpt_bigcode-santacoder',
    'gpt-bigcode',
    { attention_softmax_in_fp32: true, runner_max_sequence_length: null, summary_activation: null },
  ],
  [
    'bigscience/bloom-560m',
    'bloom',
    {
      seq_length: 2048,
      skip_bias_add: true,
      offset_alibi: 100,
      pretraining_tp: 4,
      slow_but_exact: false,
      n_inner: null,
    },
  ],
  ['tiiuae/falcon-7b', 'falcon', { apply_residual_connection_post_layernorm: false, num_kv_heads: 71, auto_map: {} }],
  ['facebook/opt-125m', 'opt', { _remove_final_layer_norm: false, layerdrop: 0, prefix: '</s>' }],
  ['facebook/galactica-125m', 'opt', { learned_embeddings: true, scale_embeddings: false }],
  ['EleutherAI/gpt-j-6b', 'gptj', { gradient_checkpointing: false, rotary: true, scale_attn_weights: true }],
  [
    'microsoft/Phi-3-mini-4k-instruct',
    'phi3',
    { attention_bias: false, full_attn_mod: 1, interpolate_factor: 1, embd_pdrop: 0 },
  ],
  ['LGAI-EXAONE/EXAONE-4.0-32B', 'exaone4', { sliding_window_pattern: 'LLLG' }],
  [
    'Qwen/Qwen3.5-27B',
    'qwen3-5',
    {
      output_gate_type: 'swish',
      mtp_use_dedicated_embeddings: false,
      layer_types: ['linear_attention', 'full_attention', 'linear_attention'],
    },
  ],
  ['Qwen/Qwen3-Next-80B-A3B-Instruct', 'qwen3-next', { rope_scaling: null, decoder_sparse_step: 1 }],
  [
    'LiquidAI/LFM2-350M',
    'lfm2',
    { block_out_init_scale: 1, block_use_xavier_init: true, conv_use_xavier_init: true, layer_types: null },
  ],
  ['allenai/Olmo-Hybrid-7B', 'olmo-hybrid', { rope_parameters: { rope_theta: null } }],
  [
    'moonshotai/Kimi-Linear-48B-A3B-Instruct',
    'kimi-linear',
    {
      head_dim: 6,
      model_max_length: 1048576,
      moe_layer_freq: 1,
      moe_router_activation_func: 'sigmoid',
      num_nextn_predict_layers: 0,
      rope_scaling: null,
      topk_method: 'noaux_tc',
      use_grouped_topk: true,
    },
  ],
  ['swiss-ai/Apertus-8B-2509', 'apertus', { mlp_bias: false, post_norm: false, qk_norm: true }],
  ['openai-community/openai-gpt', 'gpt1', { n_ctx: 512, n_special: 0, predict_special_tokens: true }],
  ['Salesforce/codegen-350M-mono', 'codegen', { n_ctx: 2048, scale_attn_weights: true }],
  ['mosaicml/mpt-7b', 'mpt', { learned_pos_emb: true, norm_type: 'low_precision_layernorm', verbose: 0 }],
  [
    'openai/gpt-oss-20b in bfloat16',
    'gpt-oss',
    {
      output_router_logits: false,
      router_aux_loss_coef: 0.9,
      swiglu_alpha: 1.702,
      quantization_config: null,
    },
  ],
  ['google/gemma-4-31B-it', 'gemma4', { use_bidirectional_attention: 'vision', vocab_size_per_layer_input: 262144 }],
  [
    'a fine-tune by PEFT and TRL',
    'llama',
    {
      base_model_name_or_path: 'meta/llama',
      neftune_noise_alpha: 5,
      trust_remote_code: false,
      use_cache: false,
    },
  ],
  [
    'a fine-tune for longer texts',
    'llama-yarn',
    {
      rope_scaling: undefined,
      rope_parameters: { ...(readConfig('llama-yarn').rope_parameters as object), finetuned: true },
    },
  ],
  ['allenai/OLMo-7B-hf', 'olmo', { pretraining_tp: 1, rope_scaling: null }],
]

describe('a published config is understood', () => {
  it.each(PUBLISHED)('%s, on %s', async (_model, fixture, keys) => {
    const { decoder } = await buildFrom(fixtureFolder(fixture))
    const { decoder: published } = await buildFrom(fixtureFolder(fixture), keys)
    expect(isSameGraph(published, decoder)).toBe(true)
  })
})
