import type { Layer, Routing } from './description.js'

/** Keys that never change what a decoder computes from given weights, by purpose. */
const HARMLESS_KEYS = new Set([
  // What the file is and who wrote it
  'architectures',
  'auto_map',
  'model_type',
  'transformers_version',
  'dtype',
  'torch_dtype',
  'name_or_path',
  'custom_pipelines',
  'task_specific_params',
  'pruned_heads',
  'tokenizer_class',
  'prefix',
  'finetuning_task',
  'license',
  'base_model',
  'base_model_name_or_path',
  'unsloth_fixed',
  'unsloth_version',
  'unsloth_template',
  'transformers.js_config',
  'model_name',
  'version',
  '_commit_hash',
  '_name_or_path',
  '_from_auto',
  '_auto_class',
  '_pre_quantization_dtype',
  'text_config',
  'vision_config',
  'seq_length',
  'model_max_length',
  'org_vocab_size',
  'max_sequence_length',
  // How to run it
  'logits_to_keep',
  'use_cache',
  'trust_remote_code',
  'cache_implementation',
  'return_dict',
  'return_dict_in_generate',
  'output_attentions',
  'output_hidden_states',
  'output_scores',
  'output_router_logits',
  'torchscript',
  'use_bfloat16',
  'tf_legacy_loss',
  'chunk_size_feed_forward',
  'pretraining_tp',
  'is_decoder',
  'is_encoder_decoder',
  'tie_encoder_decoder',
  'cross_attention_hidden_size',
  'attn_implementation',
  '_attn_implementation',
  '_flash_attn_2_enabled',
  '_attn_implementation_autoset',
  '_attn_implementation_internal',
  '_experts_implementation',
  '_experts_implementation_internal',
  'experts_implementation',
  'dual_chunk_attention_config',
  'use_flash_attn',
  'fused_mlp',
  'fused_bias_fc',
  'attention_softmax_in_fp32',
  'scale_attention_softmax_in_fp32',
  'reorder_and_upcast_attn',
  'masked_softmax_fusion',
  'bias_dropout_fusion',
  'gradient_checkpointing',
  'pre_allocate_kv_cache',
  'pad_key_length',
  'inference_runner',
  'validate_runner_input',
  'max_batch_size',
  'offset_alibi',
  'use_parallel_embedding',
  'vocab_file',
  // Training
  'initializer_range',
  'initializer_factor',
  'init_std',
  'layerdrop',
  'neftune_noise_alpha',
  'router_aux_loss_coef',
  'router_jitter_noise',
  'router_z_loss_coef',
  'z_loss_coefficient',
  'aux_loss_alpha',
  'loss_type',
  // How weights are stored, which readPackedTensors reads
  'quantization_config',
  'compression_config',
  'quantization',
  // Heads for other tasks
  'id2label',
  'label2id',
  'num_labels',
  'problem_type',
  // Generation
  'max_length',
  'min_length',
  'do_sample',
  'early_stopping',
  'num_beams',
  'num_beam_groups',
  'diversity_penalty',
  'temperature',
  'top_k',
  'top_p',
  'typical_p',
  'repetition_penalty',
  'length_penalty',
  'no_repeat_ngram_size',
  'encoder_no_repeat_ngram_size',
  'bad_words_ids',
  'num_return_sequences',
  'remove_invalid_values',
  'exponential_decay_length_penalty',
  'suppress_tokens',
  'begin_suppress_tokens',
  'max_new_tokens',
  // Lengths that matter only if a family's positions depend on them; then it reads them
  'max_position_embeddings',
  'original_max_position_embeddings',
  'n_positions',
  'n_ctx',
  // Read with the layers' own windows
  'max_window_layers',
])

const HARMLESS_PATTERNS = [
  /^[a-z_]+_token_ids?$/,
  /^(pad|sep|eod|im_start|im_end|im_newline|image|image_newline|text_start|text_end|video_start|video_end|mask_init)_id$/,
  /dropout(_p|_prob)?$/,
  /_pdrop$/,
  /^summary_/,
  /^unsloth/,
]

/**
 * Switches of optional parts; if the key is absent, the decoder does not have the part. Published configs also carry
 * other families' switches, as false or null. If a family has the part, its entry reads the key.
 */
const SWITCHES = new Set([
  // Biases; a tensor without a place is refused whatever the config says
  'add_bias_linear',
  'add_qkv_bias',
  'attention_bias',
  'attention_out_bias',
  'bias',
  'lm_head_bias',
  'mlp_bias',
  'norm_bias',
  'projectors_bias',
  'qkv_bias',
  'use_bias',
  'use_qkv_bias',
  // Attention
  'add_cross_attention',
  'attention_chunk_size',
  'attn_logit_softcapping',
  'clip_qkv',
  'head_dim',
  'kv_lora_rank',
  'layer_types',
  'logit_scale',
  'multi_query',
  'num_key_value_heads',
  'num_kv_heads',
  'per_layer_config',
  'q_lora_rank',
  'qk_head_dim',
  'qk_layernorm',
  'qk_nope_head_dim',
  'qk_rope_head_dim',
  'scale_attn_by_inverse_layer_idx',
  'sliding_window',
  'sliding_window_pattern',
  'use_bidirectional_attention',
  'use_mrope',
  'use_qk_norm',
  'use_sliding_window',
  'v_head_dim',
  // Positions
  'no_rope_layers',
  'partial_rotary_factor',
  'rope_parameters',
  'rope_scaling',
  'rope_theta',
  'rotary_dim',
  // Layers and their norms
  '_remove_final_layer_norm',
  '_sliding_window_pattern',
  'apply_residual_connection_post_layernorm',
  'final_logit_softcapping',
  'new_decoder_architecture',
  'residual_multiplier',
  'slow_but_exact',
  'word_embed_proj_dim',
  // Experts
  'enable_moe_block',
  'group_limited_greedy',
  'is_moe',
  'mlp_only_layers',
  'moe_drop_tokens',
  'moe_intermediate_size',
  'moe_random_routing_dropped_token',
  'moe_topk',
  'n_group',
  'n_routed_experts',
  'n_shared_experts',
  'norm_topk_prob',
  'num_experts',
  'num_experts_per_tok',
  'num_ln_in_parallel_attn',
  'num_local_experts',
  'num_shared_expert',
  'num_shared_experts',
  'topk_group',
  'use_mixed_mlp_moe',
  // Other parts and forms
  'add_classification_head',
  'embedding_size',
  'ffn_hidden_size',
  'n_inner',
  'num_mtp_layers',
  'num_nextn_predict_layers',
  'runner_max_sequence_length',
  'tie_last_hidden_states',
  'tie_word_embeddings',
  'use_parallel_residual',
])

/** Parts that some families always have; there a switch set to false would be wrong. */
const ALWAYS_ON: Record<string, (layer: Layer) => boolean> = {
  norm_topk_prob: ({ mlp }) => mlp?.kind === 'experts' && isNormalized(mlp.experts.routing),
  qk_layernorm: ({ mixer }) => mixer?.kind === 'attention' && mixer.queryNorm !== null,
  use_parallel_residual: ({ parallel }) => parallel,
  use_qk_norm: ({ mixer }) => mixer?.kind === 'attention' && mixer.queryNorm !== null,
  use_sliding_window: ({ mixer }) => mixer?.kind === 'attention' && mixer.window !== null,
}

function isNormalized(routing: Routing): boolean {
  return routing.scores !== 'sparse mixer' && routing.normalized !== null
}

/**
 * Whether a key that the family did not read can be ignored: it is known to be harmless, it switches off a part that
 * the layers do not have, it says nothing, or no code reads it.
 * @param isNeverRead not used for switches, because the description may lack a part that the config switches on
 */
export function isHarmlessKey(
  key: string,
  value: unknown,
  layers: Layer[],
  isNeverRead: (key: string) => boolean = () => false,
): boolean {
  if (HARMLESS_KEYS.has(key) || HARMLESS_PATTERNS.some((pattern) => pattern.test(key))) return true
  if (saysNothing(value)) return true
  if (!SWITCHES.has(key)) return isNeverRead(key)
  return value === false && !layers.some((layer) => ALWAYS_ON[key]?.(layer))
}

/** Null and an empty list are what omitted keys are written as; a family reads those for which they mean more. */
function saysNothing(value: unknown): boolean {
  return value === null || (Array.isArray(value) && value.length === 0)
}
