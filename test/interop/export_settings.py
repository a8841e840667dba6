"""The small random decoders of make_exports.py: the sizes of each family, and how it is exported."""

LAYERS = 4
WINDOW = 8

# Each family takes those of these that its config knows
SIZES = {
    "vocab_size": 300,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 128,
    "n_embd": 64,
    "n_layer": LAYERS,
    "n_head": 4,
    "n_positions": 128,
    "moe_intermediate_size": 32,
    "num_experts": 4,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "shared_expert_intermediate_size": 32,
    "sliding_window": WINDOW,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
    "tie_word_embeddings": False,
}
VISION_SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
    "depth": 2,
    "embed_dim": 32,
    "num_heads": 2,
    "out_hidden_size": 64,
    "num_position_embeddings": 16,
    "deepstack_visual_indexes": [0, 1],
    "fullatt_block_indexes": [1],
}
WINDOWS = ["sliding_attention", "full_attention", "sliding_attention", "full_attention"]
CONVOLUTIONS = ["conv", "full_attention", "conv", "full_attention"]
MROPE = {"rope_parameters": {"rope_type": "default", "rope_theta": 100.0, "mrope_section": [4, 2, 2]}}
DELTA = {
    "layer_types": ["linear_attention", "full_attention", "linear_attention", "full_attention"],
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "rope_parameters": {**MROPE["rope_parameters"], "mrope_interleaved": True, "partial_rotary_factor": 1.0},
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 100.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
# transformers wants the two apart, the builder the first keys beside them
GEMMA3 = {
    "query_pre_attn_scalar": 16,
    "layer_types": WINDOWS,
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 100.0,
        "full_attention": {"rope_type": "default", "rope_theta": 100.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 10.0},
    },
}
LONGROPE = {
    "rope_type": "longrope",
    "type": "longrope",
    "rope_theta": 10000.0,
    "short_factor": [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7],
    "long_factor": [2.0, 2.1, 2.2, 2.3, 2.4, 2.5, 2.6, 2.7],
    "original_max_position_embeddings": 64,
    "factor": 2.0,
}

# What the builder takes for a norm that is no RMS norm, whatever the config says
BUILDER_EPSILON = 1e-6

# name: family, settings, precision
GENAI = {
    "ernie4_5": ("ernie4_5", {}, "fp32"),
    "gemma2": ("gemma2", {"query_pre_attn_scalar": 16, "layer_types": WINDOWS}, "fp32"),
    "gemma3": ("gemma3_text", GEMMA3, "fp32"),
    "gpt_oss": ("gpt_oss", {"layer_types": WINDOWS}, "fp32"),
    "gpt_oss-fp16": ("gpt_oss", {"layer_types": WINDOWS}, "fp16"),
    "granite": ("granite", {"attention_multiplier": 0.2, "residual_multiplier": 0.5}, "fp32"),
    "granitemoehybrid": (
        "granitemoehybrid",
        {
            "layer_types": ["attention"] * LAYERS,
            "num_local_experts": 0,
            "position_embedding_type": "rope",
            "shared_intermediate_size": 96,
        },
        "fp32",
    ),
    "hunyuan": ("hunyuan_v1_dense", {}, "fp32"),
    "lfm2": ("lfm2", {"layer_types": CONVOLUTIONS}, "fp32"),
    "lfm2-int4": ("lfm2", {"layer_types": CONVOLUTIONS}, "int4"),
    "lfm2_moe": ("lfm2_moe", {"layer_types": CONVOLUTIONS, "num_dense_layers": 2}, "fp32"),
    "llama3": ("llama", {"rope_parameters": LLAMA3}, "fp32"),
    "mistral": ("mistral", {"sliding_window": None}, "fp32"),
    "mistral-window": ("mistral", {}, "fp32"),
    "mistral3": ("mistral3", {"sliding_window": None}, "fp32"),
    "nemotron": ("nemotron", {"head_dim": 32, "norm_eps": BUILDER_EPSILON}, "fp32"),
    "olmo": ("olmo", {}, "fp32"),
    "phi": ("phi", {"partial_rotary_factor": 1.0, "layer_norm_eps": BUILDER_EPSILON}, "fp32"),
    "phi3": ("phi3", {"sliding_window": None, "original_max_position_embeddings": 128}, "fp32"),
    "phi3-longrope": (
        "phi3",
        {"sliding_window": None, "rope_parameters": LONGROPE, "original_max_position_embeddings": 64},
        "fp32",
    ),
    "phi3-window": ("phi3", {"original_max_position_embeddings": 128}, "fp32"),
    "qwen2_5_vl": ("qwen2_5_vl", MROPE, "fp32"),
    "qwen3": ("qwen3", {}, "fp32"),
    "qwen3-int4": ("qwen3", {}, "int4"),
    "qwen3_5": ("qwen3_5", DELTA, "fp32"),
    "qwen3_5-int4": ("qwen3_5", DELTA, "int4"),
    "qwen3_5_moe": ("qwen3_5_moe", DELTA, "fp32"),
    "qwen3_vl": ("qwen3_vl", MROPE, "fp32"),
}

# Folders whose graph has lost the window of attention: only shorter texts are computed as in PyTorch
SHORT = {"genai-gpt_oss-fp16": WINDOW, "genai-mistral-window": WINDOW, "genai-phi3-window": WINDOW}

# Folders whose graph is another model, as it has another norm: compared with the same graph
OTHER_NORM = {"genai-olmo"}

# name: family, settings; deepseek_v3 is not here: the exporter drops experts that its example does not reach
OPTIMUM = {
    "arcee": ("arcee", {}),
    "cohere": ("cohere", {}),
    "gemma2": ("gemma2", {"query_pre_attn_scalar": 16, "layer_types": WINDOWS}),
    "gemma3": ("gemma3_text", {"query_pre_attn_scalar": 16, "layer_types": WINDOWS}),
    "glm": ("glm", {}),
    "granite": ("granite", {"attention_multiplier": 0.2, "residual_multiplier": 0.5}),
    "helium": ("helium", {}),
    "mistral-window": ("mistral", {}),
    "nemotron": ("nemotron", {}),
    "olmo2": ("olmo2", {}),
    "phi3": ("phi3", {"sliding_window": None}),
    "qwen3": ("qwen3", {}),
    "qwen3_moe": ("qwen3_moe", {"sliding_window": None}),
    "smollm3": ("smollm3", {"no_rope_layers": [1, 1, 1, 0]}),
    "stablelm": ("stablelm", {}),
}

SMALL_SIZES = {**SIZES, "hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2, "num_key_value_heads": 1}

# name: family, settings
SMALL = {
    # The builder makes it with transformers 5.12, not with 5.24
    "gemma4": (
        "gemma4_unified",
        {
            "layer_types": WINDOWS,
            "global_head_dim": 32,
            "num_global_key_value_heads": 1,
            "attention_k_eq_v": True,
            "tie_word_embeddings": True,
        },
    ),
    "gpt-oss": ("gpt_oss", {"layer_types": WINDOWS, "intermediate_size": 16, "num_local_experts": 3}),
    "lfm2": (
        "lfm2",
        {"layer_types": CONVOLUTIONS, "num_attention_heads": 1, "block_auto_adjust_ff_dim": False},
    ),
    "qwen3-5": (
        "qwen3_5",
        {**DELTA, "num_attention_heads": 1, "linear_num_key_heads": 1, "linear_num_value_heads": 2},
    ),
}
