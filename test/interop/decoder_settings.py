"""The small random decoders of make_decoders.py: the sizes of each family, and how its config is published."""

LAYERS = 6

# Each family takes those of these that its config knows
SIZES = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "n_embd": 32,
    "n_layer": LAYERS,
    "n_head": 4,
    "n_positions": 64,
    "n_ctx": 64,
    "d_model": 32,
    "n_layers": LAYERS,
    "n_heads": 4,
    "max_seq_len": 64,
    "moe_intermediate_size": 16,
    "num_experts": 4,
    "num_local_experts": 4,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "n_shared_experts": 1,
    "shared_expert_intermediate_size": 16,
    "n_group": 1,
    "topk_group": 1,
    "sliding_window": 6,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
    "tie_word_embeddings": False,
}
MLA = {
    "num_key_value_heads": 4,
    "head_dim": None,
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 8,
    "v_head_dim": 8,
}
INDEXER = {"index_topk": 4, "index_n_heads": 2, "index_head_dim": 16}
DELTA = {
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
}
MAMBA2 = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_n_groups": 2, "mamba_chunk_size": 8}
EVERY_OTHER = ["linear_attention", "full_attention"] * 3
HYBRID = ["linear_attention", "full_attention", "linear_attention", "linear_attention"]
NEMOTRON = {"ssm_state_size": 8, "mamba_num_heads": 8, "mamba_head_dim": 8, "n_groups": 2, "chunk_size": 8}
WINDOWS = ["sliding_attention", "full_attention", "sliding_attention", "sliding_attention"] + [
    "full_attention",
    "full_attention",
]


def hybrid(other):
    return [other, "full_attention", other, other, "full_attention", other]


def nemotron_published(config):
    config.pop("layers_block_type")
    config.update(num_hidden_layers=LAYERS, hybrid_override_pattern="M-*EME")


def kimi_published(config):
    kinds = config.pop("layer_types")
    numbered = lambda kind: [layer + 1 for layer, found in enumerate(kinds) if found == kind]
    config.pop("mlp_layer_types")
    config["first_k_dense_replace"] = 1
    config["linear_attn_config"] = {
        "full_attn_layers": numbered("full_attention"),
        "kda_layers": numbered("linear_attention"),
        "head_dim": config.pop("linear_head_dim"),
        "num_heads": config.pop("linear_num_heads"),
        "short_conv_kernel_size": config.pop("linear_conv_kernel_dim"),
    }


def by_interval(config):
    config.pop("layer_types")
    config["full_attention_interval"] = 2


def gemma4_published(config):
    by_layer = config.pop("per_layer_config")
    config["global_head_dim"] = next(iter(by_layer.values()))["head_dim"]
    if "num_key_value_heads" in (special := next(iter(by_layer.values()))):
        config["num_global_key_value_heads"] = special["num_key_value_heads"]


# name: (settings, how config.json is rewritten, what is added to the tensors)
DECODERS = {
    "afmoe": {"num_dense_layers": 2, "layer_types": WINDOWS},
    "apertus": {},
    "aria_text": {"moe_num_experts": 4, "moe_topk": 2},
    "axk1": MLA,
    "axk2": {**MLA, **INDEXER},
    "bailing_hybrid": {**MLA, "linear_head_dim": 8},
    "bamba": {**MAMBA2, "attn_layer_indices": [1, 4]},
    "biogpt": {},
    "bitnet": {},
    "codegen": {"rotary_dim": 8},
    "cohere2_moe": {},
    "ctrl": {"dff": 48},
    "cwm": {},
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 2.0},
        "ffn_config": {"ffn_hidden_size": 16, "moe_num_experts": 4, "moe_top_k": 2, "hidden_size": 32},
    },
    "deepseek_v2": {**MLA, "first_k_dense_replace": 2},
    "deepseek_v3": {**MLA, "first_k_dense_replace": 2},
    "deepseek_v32": {**MLA, **INDEXER},
    "diffllama": {},
    "doge": {},
    "dots1": {"first_k_dense_replace": 2},
    "ernie4_5_moe": {"moe_num_experts": 4, "moe_k": 2, "moe_layer_start_index": 1, "moe_layer_end_index": 4},
    "exaone": {},
    "exaone_moe": {},
    "falcon_h1": {**MAMBA2, "mamba_d_ssm": 64},
    "falcon_mamba": {},
    "flex_olmo": {},
    "flint": {"mlp_only_layers": [0, 3], "layer_types": WINDOWS},
    "gemma4_text": {"hidden_size_per_layer_input": 0, "global_head_dim": 16, "layer_types": WINDOWS},
    "gemma4_unified_text": {"global_head_dim": 16, "layer_types": WINDOWS},
    "glm4_moe": {"first_k_dense_replace": 2},
    "glm4_moe_lite": MLA,
    "glm_moe_dsa": {**MLA, **INDEXER},
    "gpt-sw3": {},
    "gpt_neox_japanese": {},
    "gpt_oss": {},
    "granite_swa": {},
    "granitemoe_swa": {},
    "granitemoehybrid": {**MAMBA2, "layer_types": hybrid("mamba"), "shared_intermediate_size": 16},
    "granitemoeshared": {"shared_intermediate_size": 16},
    "hunyuan_v1_moe": {},
    "hy_v3": {},
    "hyperclovax": {},
    "inkling_text": {},
    "internlm3": {},
    "iquestcoder": {},
    "jais2": {},
    "jamba": {"mamba_d_state": 4, "mamba_dt_rank": 4},
    "jetmoe": {},
    "kimi_linear": {**MLA, "q_lora_rank": None, "linear_head_dim": 8, "linear_num_heads": 4},
    "kolibri1": {},
    "laguna": {},
    "lara_mini": DELTA,
    "lfm2": {"layer_types": hybrid("conv")},
    "lfm2_moe": {"layer_types": hybrid("conv"), "num_dense_layers": 2},
    "lfm3": {},
    "llama4_text": {"intermediate_size_mlp": 48, "interleave_moe_layer_step": 2},
    "longcat_flash": {
        **MLA,
        "head_dim": 8,
        "num_hidden_layers": None,
        "num_layers": LAYERS,
        "ffn_hidden_size": 48,
        "expert_ffn_hidden_size": 16,
        "zero_expert_num": 2,
        "moe_topk": 2,
    },
    "mamba": {},
    "mamba2": {"num_heads": 8, "head_dim": 8, "n_groups": 2, "state_size": 8, "chunk_size": 8},
    "mellum": {},
    "mimo_v2_flash": {},
    "minicpm3": MLA,
    "minimax": {},
    "minimax_m2": {},
    "minimax_m3_vl_text": {},
    "ministral3": {},
    "modernbert-decoder": {},
    "mpt": {},
    "nanochat": {},
    "nemotron_h": {
        **NEMOTRON,
        "layers_block_type": ["linear_attention", "mlp", "full_attention", "moe", "linear_attention", "moe"],
        "moe_shared_expert_intermediate_size": 16,
    },
    "olmo_hybrid": {**DELTA, "linear_num_value_heads": 2, "layer_types": HYBRID + ["full_attention", "linear_attention"]},
    "openai-gpt": {},
    "persimmon": {},
    "phimoe": {},
    "qwen3_5_moe_text": {**DELTA, "layer_types": EVERY_OTHER},
    "qwen3_5_text": {**DELTA, "layer_types": EVERY_OTHER},
    "qwen3_next": {**DELTA, "layer_types": EVERY_OTHER, "mlp_only_layers": [0, 3]},
    "recurrent_gemma": {"lru_width": 32},
    "rwkv": {},
    "sarvam_mla": MLA,
    "sarvam_moe": {},
    "solar_open": {},
    "vaultgemma": {},
    "xglm": {"ffn_dim": 48, "attention_heads": 4, "num_layers": LAYERS},
    "xlstm": {"num_heads": 4},
    "youtu": MLA,
    "zamba": {},
    "zamba2": {
        "layers_block_type": ["linear_attention", "hybrid"] * 3,
        "n_mamba_heads": 8,
        "mamba_headdim": 8,
        "mamba_d_state": 8,
        "mamba_ngroups": 2,
        "adapter_rank": 4,
        "chunk_size": 8,
    },
    "zaya": {"num_experts_per_tok": 1},
}


# Each tower for images or sound takes those of these that its config knows
TOWER_SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
    "depth": 2,
    "embed_dim": 32,
    "num_heads": 2,
    "out_hidden_size": 32,
    "mlp_ratio": 2,
    "num_position_embeddings": 16,
    "deepstack_visual_indexes": [0, 1],
    "fullatt_block_indexes": [1],
    "vision_use_head": False,
    "num_layers": 2,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 48,
    "encoder_hidden_size": 32,
    "hidden_dim": 32,
    "d_model": 32,
    "dim_head": 16,
    "feedforward_mult": 1,
    "input_dim": 8,
    "output_dim": 8,
    "num_mel_bins": 8,
    "max_source_positions": 16,
    "context_size": 8,
    "max_pos_emb": 8,
    "projection_dim": 32,
}
MROPE = {"rope_parameters": {"rope_type": "default", "rope_theta": 100.0, "mrope_section": [2, 1, 1]}}
HALF_MROPE = {"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5, "mrope_section": [1, 1]}}

# name: family, model_type of its vision tower (None: the family's own), the same of its decoder, its settings
WRAPPERS = {
    "aya_vision": ("aya_vision", "siglip_vision_model", "cohere2", {}),
    "gemma3": ("gemma3", "siglip_vision_model", "gemma3_text", {}),
    "gemma4": ("gemma4", "gemma4_vision", "gemma4_text", DECODERS["gemma4_text"]),
    "glm4v": ("glm4v", None, None, MROPE),
    "glm4v_moe": ("glm4v_moe", None, None, {**HALF_MROPE, "first_k_dense_replace": 2}),
    "glm46v": ("glm46v", "glm4v_vision", "glm4v_text", MROPE),
    "glm_ocr": ("glm_ocr", None, None, MROPE),
    "idefics3": ("idefics3", "idefics3_vision", "llama", {}),
    "internvl": ("internvl", "internvl_vision", "qwen2", {}),
    "lfm2_vl": ("lfm2_vl", "siglip2_vision_model", "lfm2", DECODERS["lfm2"]),
    "llava": ("llava", "clip_vision_model", "llama", {}),
    "llava_next": ("llava_next", "clip_vision_model", "mistral", {}),
    "llava_onevision": ("llava_onevision", "siglip_vision_model", "qwen2", {}),
    "mistral3": ("mistral3", "pixtral", "mistral", {}),
    "mistral3-ministral3": ("mistral3", "pixtral", "ministral3", {}),
    "paligemma": ("paligemma", "siglip_vision_model", "gemma", {}),
    "qwen2_vl": ("qwen2_vl", None, None, MROPE),
    "qwen2_5_vl": ("qwen2_5_vl", None, None, MROPE),
    "qwen2_5_omni_thinker": ("qwen2_5_omni_thinker", None, None, MROPE),
    "qwen3_omni_moe_thinker": ("qwen3_omni_moe_thinker", None, None, MROPE),
    "qwen3_vl": ("qwen3_vl", None, None, MROPE),
    "qwen3_vl_moe": ("qwen3_vl_moe", None, None, MROPE),
    "qwen3_5": ("qwen3_5", None, None, DECODERS["qwen3_5_text"]),
    "qwen3_5_moe": ("qwen3_5_moe", None, None, DECODERS["qwen3_5_moe_text"]),
    "smolvlm": ("smolvlm", "smolvlm_vision", "llama", {}),
    "vipllava": ("vipllava", "clip_vision_model", "llama", {}),
    "cohere2_vision": ("cohere2_vision", None, None, {}),
    "deepseek_vl": ("deepseek_vl", None, None, {}),
    "exaone4_5": ("exaone4_5", None, None, {}),
    "glmasr": ("glmasr", None, None, {}),
    "got_ocr2": ("got_ocr2", None, None, {}),
    "granite_speech": ("granite_speech", None, None, {}),
    "granite_speech_plus": ("granite_speech_plus", None, None, {}),
    "hyperclovax_vision_v2": ("hyperclovax_vision_v2", None, None, {}),
    "idefics2": ("idefics2", None, None, {}),
    "janus": ("janus", None, None, {}),
    "lighton_ocr": ("lighton_ocr", None, None, {}),
    "llava_next_video": ("llava_next_video", None, None, {}),
    "minicpmv4_6": ("minicpmv4_6", None, None, DECODERS["qwen3_5_text"]),
    "moss_transcribe_diarize": ("moss_transcribe_diarize", None, None, {}),
    "ovis2": ("ovis2", None, None, {}),
    "qwen2_audio": ("qwen2_audio", None, None, {}),
    "vibevoice_asr": ("vibevoice_asr", None, None, {}),
    "video_llama_3": ("video_llama_3", None, None, {}),
    "video_llava": ("video_llava", None, None, {}),
    "voxtral": ("voxtral", None, None, {}),
}
# What the top of a config must say beside its parts
WRAPPER_SETTINGS = {
    "ovis2": {"hidden_size": SIZES["hidden_size"], "vocab_size": SIZES["vocab_size"]},
}


def with_extra_layer(tensors):
    """A layer for multi-token prediction behind the last one, as GLM and DeepSeek store it."""
    start = f"model.layers.{LAYERS - 1}."
    last = {name: tensor for name, tensor in tensors.items() if name.startswith(start)}
    extra = {name.replace(start, f"model.layers.{LAYERS}."): tensor.clone() for name, tensor in last.items()}
    projection = tensors["model.norm.weight"].clone()
    return {**tensors, **extra, f"model.layers.{LAYERS}.enorm.weight": projection}


def with_mtp(tensors):
    """Layers for multi-token prediction in a list of their own, as Qwen stores them."""
    return {**tensors, "mtp.layers.0.input_layernorm.weight": tensors["model.norm.weight"].clone()}


def flat(config):
    """As Qwen2-VL is published: the decoder's config at the top."""
    text = config.pop("text_config")
    config.update({key: value for key, value in text.items() if key != "model_type"})


def states_one_extra_layer(config):
    config["num_nextn_predict_layers"] = 1


# name: family, how config.json is rewritten, how its tensors are
PUBLISHED = {
    "nemotron_h-pattern": ("nemotron_h", nemotron_published, None),
    "kimi_linear-nested": ("kimi_linear", kimi_published, None),
    "glm4_moe-mtp": ("glm4_moe", states_one_extra_layer, with_extra_layer),
    "deepseek_v3-mtp": ("deepseek_v3", states_one_extra_layer, with_extra_layer),
    "qwen3_next-interval": ("qwen3_next", by_interval, with_mtp),
    "qwen3_5_text-interval": ("qwen3_5_text", by_interval, with_mtp),
    "qwen2_vl-flat": ("qwen2_vl", flat, None),
    "qwen2_5_vl-flat": ("qwen2_5_vl", flat, None),
    "gemma4_text-global": ("gemma4_text", gemma4_published, None),
}
