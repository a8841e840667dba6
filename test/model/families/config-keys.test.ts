import { describe, expect, it } from 'vitest'
import { LayerpruneError } from '../../../src/base/errors.js'
import {
  buildFrom,
  fixtureFolder,
  isSameGraph,
  listFixtures,
  measureBlocks,
  readConfig,
} from '../../support/fixture-model.js'
import { largestDifference } from '../../support/largest-difference.js'
import { sample } from '../../support/long-tests.js'

function ropeWith(name: string, changes: Record<string, unknown>): Record<string, unknown> {
  const key = readConfig(name).rope_parameters ? 'rope_parameters' : 'rope_scaling'
  return { [key]: { ...(readConfig(name)[key] as object), ...changes } }
}

const CHANGES: [fixture: string, changes: Record<string, unknown>][] = [
  ['llama', ropeWith('llama', { rope_theta: 500 })],
  ['llama', { rms_norm_eps: 0.5 }],
  ['llama', { hidden_act: 'gelu' }],
  ['llama-linear', { rope_theta: 500 }],
  ['llama-linear', ropeWith('llama-linear', { factor: 2 })],
  ['llama-dynamic', ropeWith('llama-dynamic', { factor: 9 })],
  ['llama-dynamic', { max_position_embeddings: 20 }],
  ['llama-llama3', ropeWith('llama-llama3', { factor: 2 })],
  ['llama-llama3', ropeWith('llama-llama3', { low_freq_factor: 2 })],
  ['llama-llama3', ropeWith('llama-llama3', { high_freq_factor: 9 })],
  ['llama-llama3', ropeWith('llama-llama3', { original_max_position_embeddings: 8 })],
  ['llama-yarn', ropeWith('llama-yarn', { factor: 2 })],
  ['llama-yarn', ropeWith('llama-yarn', { attention_factor: 2 })],
  ['llama-yarn-mscale', ropeWith('llama-yarn-mscale', { mscale: 2 })],
  ['llama-yarn-mscale', ropeWith('llama-yarn-mscale', { beta_fast: 4 })],
  ['llama-yarn-mscale', ropeWith('llama-yarn-mscale', { truncate: true })],
  ['mistral-window', { sliding_window: 3 }],
  ['mistral-window', { sliding_window: null }],
  ['mistral-window', { layer_types: ['full_attention', 'sliding_attention', 'sliding_attention'] }],
  ['qwen2-window', { sliding_window: 3 }],
  ['qwen2-window', { layer_types: ['full_attention', 'full_attention', 'full_attention'] }],
  ['phi3', ropeWith('phi3', { partial_rotary_factor: 0.25 })],
  ['phi3-longrope', { original_max_position_embeddings: 30 }],
  ['phi3-longrope', { original_max_position_embeddings: undefined }],
  ['phi3-longrope', ropeWith('phi3-longrope', { long_factor: [1, 2, 3, 4] })],
  ['phi3-longrope', ropeWith('phi3-longrope', { attention_factor: 2 })],
  ['gemma', { hidden_act: 'relu' }],
  ['gpt-oss', { sliding_window: 3 }],
  ['gpt-oss', { swiglu_limit: 7 }],
  ['gpt-oss', { num_experts_per_tok: 1, experts_per_token: 1 }],
  ['gpt-oss', ropeWith('gpt-oss', { truncate: true })],
  ['gemma4', ropeWith('gemma4', { full_attention: { rope_type: 'default', rope_theta: 500 } })],
  ['gemma4', { sliding_window: 3 }],
  ['gemma4-moe', { top_k_experts: 1 }],
  ['gemma2', { query_pre_attn_scalar: 5 }],
  ['gemma2', { attn_logit_softcapping: null }],
  ['gemma2', { sliding_window: 2 }],
  ['gemma3-scaled', { rope_local_base_freq: 7 }],
  ['gemma3-scaled', { rope_theta: 7 }],
  ['gemma3-scaled', { sliding_window_pattern: 3 }],
  ['smollm3', { no_rope_layers: [0, 0, 0] }],
  ['glm4-moe', { topk_group: 1 }],
  ['glm4-moe', { norm_topk_prob: false }],
  ['glm4-moe', { routed_scaling_factor: 1 }],
  ['ernie4-5-moe', { moe_norm_min: 0.01 }],
  ['afmoe', { mup_enabled: false }],
  ['afmoe', { route_scale: 1 }],
  ['cohere2-moe', { expert_selection_fn: 'sigmoid' }],
  ['cohere2-moe', { shared_expert_combination_strategy: 'sum' }],
  ['laguna', { moe_router_logit_softcapping: 0 }],
  ['llama4', { attention_chunk_size: 9 }],
  ['llama4', { attn_temperature_tuning: false }],
  ['llama4', { floor_scale: 9 }],
  ['llama4', { use_qk_norm: false }],
  ['mimo-v2-flash', { attention_value_scale: null }],
  ['granite', { embedding_multiplier: 9 }],
  ['granite', { residual_multiplier: 1 }],
  ['granite', { attention_multiplier: 1 }],
  ['cohere', { layer_norm_eps: 0.5 }],
  ['starcoder2', { norm_epsilon: 0.5 }],
  ['gpt2-scaled', { scale_attn_by_inverse_layer_idx: false }],
  ['gpt2-scaled', { layer_norm_epsilon: 0.5 }],
  ['gpt2-unscaled', { scale_attn_weights: true }],
  ['gpt-neo', { window_size: 2 }],
  ['gpt-neox-sequential', { rotary_emb_base: 7 }],
  ['gpt-neox-sequential', { use_parallel_residual: true }],
  ['olmo', { clip_qkv: 0.1 }],
  ['mixtral', { num_experts_per_tok: 1 }],
  ['qwen3-moe', { norm_topk_prob: false }],
  ['hunyuan', ropeWith('hunyuan', { alpha: 2 })],
  ['ministral3', ropeWith('ministral3', { llama_4_scaling_beta: 0.1 })],
  ['ministral3', ropeWith('ministral3', { original_max_position_embeddings: 9 })],
  ['cwm', { sliding_window: 2 }],
  ['exaone', { layer_norm_epsilon: 0.5 }],
  ['bitnet', { rms_norm_eps: 0.5 }],
  ['nanochat', ropeWith('nanochat', { rope_theta: 7 })],
  ['hyperclovax', { attention_multiplier: 1 }],
  ['hyperclovax', { residual_multiplier: 1 }],
  ['minicpm', { scale_emb: 9 }],
  ['minicpm', { scale_depth: 9 }],
  ['granite4-dense', { position_embedding_type: 'nope' }],
  ['granitemoeshared', { num_experts_per_tok: 1 }],
  ['vaultgemma', { query_pre_attn_scalar: 5 }],
  ['phimoe', { router_jitter_noise: 0.01 }],
  ['phimoe', ropeWith('phimoe', { short_mscale: 2 })],
  ['phimoe', ropeWith('phimoe', { long_mscale: 2 })],
  ['persimmon', { layer_norm_eps: 0.5 }],
  ['codegen', { rotary_dim: 4 }],
  ['mpt', { attn_config: { clip_qkv: 0.1, softmax_scale: 0.3 } }],
  ['mpt', { attn_config: { clip_qkv: 1.5 } }],
  ['xglm', { scale_embedding: false }],
  ['xglm', { pad_token_id: 1 }],
  ['biogpt', { scale_embedding: false }],
  ['gpt1', { afn: 'relu' }],
]

const unchanged = new Map<string, Promise<Float64Array>>()

/** Distances of a fixture as it is, measured once. */
async function measureUnchanged(name: string): Promise<Float64Array> {
  const distances = unchanged.get(name) ?? measureBlocks(await buildFrom(fixtureFolder(name)), name)
  unchanged.set(name, distances)
  return distances
}

describe('a key that matters', () => {
  it.each(sample(CHANGES, 2))('%s with %j gives other distances', async (name, changes) => {
    const expected = await measureUnchanged(name)
    const found = await measureBlocks(await buildFrom(fixtureFolder(name), changes), name)
    expect(largestDifference(found, expected)).toBeGreaterThan(1e-4)
  })

  it.each([
    ['granite', { logits_scaling: 9 }],
    ['hyperclovax', { logits_scaling: 9 }],
    ['minicpm', { dim_model_base: 1 }],
    ['nanochat', { final_logit_softcapping: null }],
    ['cohere', { logit_scale: 9 }],
    ['gemma2', { final_logit_softcapping: 9 }],
    ['gemma2', { final_logit_softcapping: null }],
  ])('%s with %j gives another head', async (name, changes) => {
    const { decoder } = await buildFrom(fixtureFolder(name))
    const { decoder: changed } = await buildFrom(fixtureFolder(name), changes)
    expect(isSameGraph(changed, decoder)).toBe(false)
  })
})

describe('a key that does not matter', () => {
  it.each([
    ['attention_dropout', 0.5],
    ['use_cache', false],
    ['bos_token_id', 7],
    ['pretraining_tp', 2],
    ['torch_dtype', 'float16'],
    ['task_specific_params', {}],
    ['quantization_config', null],
    ['use_sliding_window', false],
    ['_name_or_path', 'here'],
  ])('%s = %j leaves the graph as it is', async (key, value) => {
    const { decoder } = await buildFrom(fixtureFolder('llama'))
    const { decoder: changed } = await buildFrom(fixtureFolder('llama'), { [key]: value })
    expect(isSameGraph(changed, decoder)).toBe(true)
  })
})

/** As a transformers saved it whose source was not read for the list of keys. */
const NEWER = { transformers_version: '6.0.0' }

describe('a key that published configs have and no code reads', () => {
  it.each<[fixture: string, changes: Record<string, unknown>]>([
    ['gemma4', { expert_intermediate_size: null }],
    ['qwen3-5', { mlp_only_layers: [] }],
    ['llama', { ...NEWER, unheard_of: null }],
    ['starcoder2', { rms_norm_eps: 1e-5, activation_function: 'gelu' }],
    ['mpt', { auto_map: { AutoConfig: 'a.b' }, init_config: { name: 'kaiming_normal_' }, tokenizer_name: 'gpt-neox' }],
    ['falcon-new', { ff_factor: 4 }],
    ['hunyuan-moe', { routed_scaling_factor: 1 }],
    ['zamba2', { ffn_hidden_size: 99 }],
    ['granite-hybrid', { logits_to_keep: 1 }],
    ['bloom', { hidden_size: undefined, n_embed: readConfig('bloom').hidden_size }],
  ])('%s with %j', async (name, changes) => {
    const { decoder } = await buildFrom(fixtureFolder(name))
    const { decoder: changed } = await buildFrom(fixtureFolder(name), changes)
    expect(isSameGraph(changed, decoder)).toBe(true)
  })
})

describe('a key that is not understood is refused by name', () => {
  const all = listFixtures()
  it.each(all)('%s with an unknown key', async (name) => {
    const built = buildFrom(fixtureFolder(name), { ...NEWER, scores_are_upside_down: true })
    await expect(built).rejects.toThrow(LayerpruneError)
    await expect(built).rejects.toThrow(/config\.json has scores_are_upside_down = true/)
  })

  it.each([
    ['llama', { hidden_act: 'xielu' }, /hidden_act is "xielu", expected one of silu/],
    ['llama', { rms_norm_eps: 'small' }, /rms_norm_eps is "small", expected a number/],
    ['llama', { num_key_value_heads: 3 }, /4 attention heads for 3 key and value heads/],
    ['llama', { vocab_size: undefined }, /does not state vocab_size/],
    ['llama', { hidden_act: 'constructor' }, /hidden_act is "constructor"/],
    ['glm4-moe', { n_group: 2 }, /n_group is 2, expected a divisor of 9 experts/],
    ['glm4-moe', { n_group: 9 }, /n_group is 9, expected groups of at least 2 of 9 experts/],
    ['glm4-moe', { topk_group: 4 }, /topk_group is 4, expected at most n_group, 3/],
    ['glm4-moe', { topk_group: 1, num_experts_per_tok: 4 }, /topk_group is 1, expected groups of at least 4/],
    ['glm4-moe', { scoring_func: 'softmax' }, /scoring_func is "softmax", expected "sigmoid"/],
    ['glm4-moe', { num_nextn_predict_layers: -1 }, /num_nextn_predict_layers is -1/],
    ['glm4-moe', { num_nextn_predict_layers: 0 }, /does not account for: model.layers.3/],
    ['exaone-moe', { is_moe_layer: [true, true, true] }, /is_moe_layer is \[true,true,true\]/],
    ['hunyuan-moe', { moe_topk: [2] }, /moe_topk is \[2\], expected a count, or one for each of 2 layers/],
    ['hunyuan-moe', { moe_intermediate_size: [8, 9] }, /moe_intermediate_size is \[8,9\]/],
    ['laguna', { gating: false }, /gating is false, expected true/],
    ['laguna', { num_attention_heads_per_layer: [4, 3, 6] }, /3 attention heads for 2 key and value heads/],
    ['llama4', { layer_types: ['sliding_attention', 'x', 'x', 'x'] }, /only full_attention and chunked_attention/],
    ['mellum', { rope_theta: 7 }, /rope_theta is 7, expected nothing/],
    ['minimax-m2', { attn_type_list: [0, 1, 1] }, /attn_type_list is \[0,1,1\], expected only 1/],
    ['llama', { partial_rotary_factor: 0.5 }, /config\.json: partial_rotary_factor is 0.5, expected 1/],
    [
      'llama',
      ropeWith('llama', { partial_rotary_factor: 0.5 }),
      /rope_parameters: partial_rotary_factor is 0.5, expected 1/,
    ],
    ['llama', { ...NEWER, unheard_of: false }, /has unheard_of = false, which is not known/],
    ['llama', { ...NEWER, unheard_of: [0] }, /has unheard_of = \[0\], which is not known/],
    ['hunyuan-moe', { routed_scaling_factor: 2 }, /routed_scaling_factor is 2, expected 1/],
    ['llama', { ...NEWER, _unheard_of: 3 }, /has _unheard_of = 3, which is not known/],
    ['llama', { ...NEWER, skip_layer_ids: [1] }, /has skip_layer_ids = \[1\]/],
    ['cohere2', { _sliding_window_pattern: 2, layer_types: undefined }, /_sliding_window_pattern is 2/],
    ['gpt2', { _remove_final_layer_norm: true }, /has _remove_final_layer_norm = true/],
    ['qwen3', { use_qk_norm: false }, /has use_qk_norm = false/],
    ['mistral-window', { use_sliding_window: false }, /has use_sliding_window = false/],
    ['phi', { use_parallel_residual: false }, /has use_parallel_residual = false/],
    ['bloom', { slow_but_exact: true, pretraining_tp: 2 }, /slow_but_exact is true, expected false, or a/],
    ['bloom', { hidden_act: 'relu' }, /hidden_act is "relu", expected "gelu_new"/],
    ['gptj', { rope_theta: 500 }, /rope_theta is 500, expected 10000/],
    ['mpt', { attn_config: { alibi: false } }, /attn_config: alibi is false, expected true/],
    ['mpt', { attn_config: { alibi_bias_max: 16 } }, /attn_config: alibi_bias_max is 16, expected 8/],
    ['mpt', { attn_config: { rope: true } }, /attn_config has rope = true/],
    ['mpt', { logit_scale: 2 }, /logit_scale is 2, expected null/],
    ['internlm3', { qkv_bias: false }, /qkv_bias is false, expected true as the other biases/],
    ['phimoe', { num_experts_per_tok: 1 }, /num_experts_per_tok is 1, expected 2/],
    ['ministral3', ropeWith('ministral3', { llama_4_scaling_beta: undefined }), /does not state llama_4_scaling_beta/],
    ['minicpm', { sparse_config: { topk: 64 } }, /has sparse_config = .*, which is not known of minicpm/],
    ['minicpm', { hidden_act: 'fatrelu' }, /hidden_act is "fatrelu"/],
    [
      'nanochat',
      ropeWith('nanochat', { rope_type: 'dynamic', factor: 2 }),
      /rope_parameters is .* whose frequencies do not depend on the text/,
    ],
    ['granite-hybrid', { layer_types: ['attention', 'mamba'] }, /layer_types is .*, expected 3 entries/],
    ['granite-hybrid', { layer_types: Array(3).fill('linear') }, /layer_types is .* only mamba and attention/],
    ['granite-hybrid', { mamba_n_groups: 3 }, /mamba_n_groups is 3, .* divides the 4 heads/],
    ['granite-hybrid', { mamba_d_head: 7 }, /mamba_d_head is 7, expected 48 \/ 4/],
    ['granite-hybrid', { time_step_limit: [1, 0] }, /time_step_limit is \[1,0\], expected two numbers/],
    ['granite-hybrid', { time_step_limit: 3 }, /time_step_limit is 3, expected two numbers/],
    ['bamba', { partial_rotary_factor: 1 }, /partial_rotary_factor is 1, expected 0.5/],
    ['falcon-h1', { ssm_multipliers: [1, 2] }, /ssm_multipliers is \[1,2\], expected 5 numbers/],
    ['nemotron-h', { hybrid_override_pattern: 'M-*EX' }, /hybrid_override_pattern is "M-\*EX", expected only/],
    ['nemotron-h', { layers_block_type: Array(5).fill('mlp') }, /expected the layers of layers_block_type/],
    ['nemotron-h', { num_hidden_layers: 4 }, /num_hidden_layers is 4, expected 5/],
    ['nemotron-h', { n_group: 3 }, /n_group is 3, expected a divisor of 4 experts/],
    ['zamba2', { layers_block_type: ['hybrid'] }, /layers_block_type is .*, expected 4 entries/],
    ['zamba2', { attention_hidden_size: 5 }, /attention_hidden_size is 5, expected 32/],
    ['jamba', { attn_layer_offset: 2 }, /attn_layer_offset is 2, expected a number below/],
    ['mamba', { ssm_cfg: { layer: 'Mamba2' } }, /ssm_cfg is .*, expected \{\}/],
    ['mamba', { time_step_rank: 'half' }, /time_step_rank is "half", expected a positive whole number/],
    ['mamba2', { head_dim: 6 }, /head_dim is 6, expected 48 \/ 4/],
    ['apertus', { qk_norm: false }, /qk_norm is false, expected true/],
    ['ctrl', { layer_norm_epsilon: 0.5 }, /layer_norm_epsilon is 0.5, expected 0.000001/],
    ['gptj', { rope_scaling: { type: 'linear', factor: 2 } }, /rope_scaling is .*, expected null/],
    ['gpt-bigcode', { scale_attn_by_inverse_layer_idx: true }, /scale_attn_by_inverse.* is true, expected false/],
    ['gpt-neo', { attention_layers: Array(3).fill('local') }, /attention_layers is .* the same as/],
    ['gpt2', { num_attention_heads: 2 }, /num_attention_heads is 2, expected 4/],
    ['gemma', { hidden_activation: 'relu' }, /hidden_activation is "relu", expected "gelu_pytorch_tanh"/],
    ['gemma3', { rope_parameters: { rope_theta: 7 } }, /rope_parameters is .* nothing but full_attention/],
    ['olmo3', { rope_parameters: { rope_type: 'default', rope_theta: 7 } }, /rope_parameters is .* nothing but/],
    ['falcon', { num_ln_in_parallel_attn: 2 }, /num_ln_in_parallel_attn is 2, expected 1/],
    ['mixtral', { num_experts_per_tok: 9 }, /9 experts per token .* of 4/],
    ['llama', { rope_theta: 77 }, /rope_theta is 77, expected 10000 as in rope_parameters/],
    ['llama', ropeWith('llama', { rope_type: 'mystery' }), /rope_parameters: rope_type is "mystery"/],
    ['llama', ropeWith('llama', { twist: 2 }), /rope_parameters has twist = 2/],
    ['llama', ropeWith('llama', { rope_type: 'linear' }), /does not state factor/],
    ['llama-yarn', { rope_scaling: { type: 'linear', factor: 2 } }, /rope_scaling is .* the same as/],
    ['phi3-longrope', ropeWith('phi3-longrope', { long_factor: [1] }), /long_factor is \[1\], expected 4/],
    ['qwen2-window', { layer_types: ['full_attention'] }, /1 layer_types for 3 layers/],
    ['qwen2-window', { layer_types: Array(3).fill('linear_attention') }, /layer_types is .*linear/],
    ['qwen2', { layer_types: Array(3).fill('sliding_attention') }, /no sliding_attention without/],
    ['gemma', { use_bidirectional_attention: true }, /use_bidirectional_attention is true/],
    ['gemma3', { attn_logit_softcapping: 50 }, /attn_logit_softcapping is 50, expected null: programs differ/],
    ['gpt-oss', { swiglu_alpha: 1 }, /swiglu_alpha is 1, expected 1.702/],
    ['gpt-oss', { experts_per_token: 3 }, /experts_per_token is 3, expected 2/],
    ['gemma4', { use_bidirectional_attention: 'all' }, /use_bidirectional_attention is "all"/],
    ['gemma4', { num_kv_shared_layers: 3 }, /num_kv_shared_layers is 3, expected a number of layers/],
    ['gemma4-listed', { per_layer_config: { '1': { head_dim: 4 } } }, /per_layer_config is .* the same heads/],
    ['gemma4-listed', { per_layer_config: { '1': { window: 4 } } }, /per_layer_config 1 has window = 4/],
    ['gemma4-e2b', { vocab_size_per_layer_input: 200 }, /vocab_size_per_layer_input is 200/],
    ['gpt2', { add_cross_attention: true }, /add_cross_attention is true, expected false/],
    ['bloom', { apply_residual_connection_post_layernorm: true }, /apply_residual.* is true/],
    ['phi3', { interpolate_factor: 2 }, /interpolate_factor is 2, expected 1/],
    [
      'smollm3-window',
      { use_sliding_window: false, layer_types: Array(3).fill('sliding_attention') },
      /no sliding_attention without a sliding_window/,
    ],
    ['smollm3', { no_rope_layers: [1] }, /no_rope_layers is \[1\], expected 3 numbers/],
    ['gpt-neo', { attention_types: [[['odd'], 3]] }, /attention_types is .*expected global or local/],
    ['qwen3-5', { attn_output_gate: false }, /attn_output_gate is false, expected true/],
    ['qwen3-5', { output_gate_type: 'sigmoid' }, /output_gate_type is "sigmoid", expected "swish"/],
    ['qwen3-5', { linear_num_key_heads: 3 }, /4 value heads of linear attention for 3 key heads/],
    ['qwen3-5', { layer_types: ['full_attention'] }, /1 layer_types for 3 layers/],
    ['qwen3-next', { layer_types: Array(3).fill('conv') }, /layer_types is .*, expected only linear_attention/],
    ['qwen3-5-moe', { mlp_only_layers: [1] }, /mlp_only_layers is \[1\], expected an empty list/],
    ['qwen3-5-moe', { norm_topk_prob: false }, /norm_topk_prob is false, expected true/],
    ['lfm2', { layer_types: Array(3).fill('linear_attention') }, /layer_types is .*, expected only conv/],
    ['lfm2', { conv_dim: 32 }, /conv_dim is 32, expected 24/],
    ['lfm2', { hidden_act: 'gelu' }, /hidden_act is "gelu", expected "silu"/],
    ['olmo-hybrid', { rope_parameters: null }, /rope_parameters is null, expected a rope_theta in it/],
    ['olmo-hybrid', { layer_types: Array(4).fill('full_attention') }, /expected at least one of linear_attention/],
    ['kimi-linear', { num_expert_group: 2 }, /num_expert_group is 2, expected 1/],
    ['kimi-linear', { num_key_value_heads: 2 }, /num_key_value_heads is 2, expected 4/],
    [
      'kimi-linear',
      { linear_attn_config: { kda_layers: [1], full_attn_layers: [2] } },
      /linear_attn_config is .*, expected every layer/,
    ],
    ['kimi-linear', { linear_attn_config: { gate_lower_bound: -5 } }, /linear_attn_config has gate_lower_bound = -5/],
    ['kimi-linear-fused', { mlp_layer_types: ['dense'] }, /mlp_layer_types is .*, expected .* each of 3 layers/],
    ['deepseek-v2', { topk_method: 'noaux_tc' }, /topk_method is "noaux_tc", expected "greedy" or/],
    ['deepseek-v2', { norm_topk_prob: true }, /norm_topk_prob is true, expected false/],
    ['deepseek-v2', { num_key_value_heads: 1 }, /num_key_value_heads is 1, expected 3/],
    ['deepseek-v2', { n_group: 4 }, /n_group is 4, expected a divisor of 6 experts/],
    ['deepseek-v2', { n_group: 6, topk_group: 2 }, /topk_group is 2, expected groups of at least 3 experts/],
    ['deepseek-v3', { scoring_func: 'softmax' }, /scoring_func is "softmax", expected "sigmoid"/],
    ['deepseek-v3', { topk_method: 'greedy' }, /topk_method is "greedy", expected "noaux_tc"/],
    ['deepseek-v3', { moe_layer_freq: 2 }, /moe_layer_freq is 2, expected 1/],
    ['deepseek-v3', { n_group: 6 }, /n_group is 6, expected groups of at least 2 of 6 experts/],
    ['deepseek-v3', { topk_group: 4 }, /topk_group is 4, expected at most n_group, 3/],
    ['deepseek-v3', { num_nextn_predict_layers: 99 }, /num_nextn_predict_layers is 99, expected a small/],
    ['deepseek-v3', { qk_head_dim: 8 }, /qk_head_dim is 8, expected 14/],
    ['deepseek-v32', { rope_interleave: false }, /rope_interleave is false, expected true/],
    ['deepseek-v32', { layer_types: Array(3).fill('full_attention') }, /expected indexed_attention for each of 3/],
    ['bailing-hybrid', { num_expert_group: 4 }, /num_expert_group is 4, expected a divisor of 6 experts/],
    ['bailing-hybrid', { layer_types: ['full_attention'] }, /1 layer_types for 3 layers/],
    ['bailing-hybrid', { linear_conv_kernel_dim: 3 }, /linear_conv_kernel_dim is 3, expected 4/],
    ['glm-moe-dsa', { indexer_types: ['full', 'shared'] }, /indexer_types is .*, expected only full/],
    ['glm-moe-dsa', { index_topk_freq: 4 }, /index_topk_freq is 4, expected 1/],
    ['glm-moe-dsa', { index_topk_pattern: 'FS' }, /index_topk_pattern is "FS", expected null/],
    ['lfm3', { layer_types: Array(4).fill('linear_attention') }, /only conv, sliding_attention and full/],
  ])('%s with %j', async (name, changes, message) => {
    await expect(buildFrom(fixtureFolder(name), changes)).rejects.toThrow(message)
  })

  it.each(all)('%s, if it is not causal', async (name) => {
    for (const is_causal of [false, null, 'no']) {
      const built = buildFrom(fixtureFolder(name), { is_causal })
      await expect(built).rejects.toThrow(/is_causal is .*, expected true: only causal decoders can be read/)
    }
  })

  it('a checkpoint that is quantised in a way that is not known', async () => {
    const built = buildFrom(fixtureFolder('llama'), { quantization_config: { quant_method: 'aqlm' } })
    await expect(built).rejects.toThrow(/quantised.*"aqlm"/)
  })
})
