"""What transformers computes for configs that differ from a fixture's in one key.

    python test/interop/vary_configs.py COUNT SEED

Prints a JSON line for each of COUNT variants, drawn from all keys of all fixtures: the fixture, the key with its
value (omitted: the key is deleted) and the mean distances of blocks by size and start over two texts, or null if
transformers refuses the config or lacks weights for it.
"""

import copy
import importlib.util
import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM
from transformers.utils import logging

FIXTURES = Path(__file__).parent.parent / "fixtures"
sys.path.insert(0, str(FIXTURES))
spec = importlib.util.spec_from_file_location("make_families", FIXTURES / "make-families.py")
make_families = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_families)
from reference import measure_angles, read_states  # noqa: E402

# Keys that say how many layers there are, or nothing that is computed
SKIPPED = {"vocab_size", "architectures", "model_type", "num_hidden_layers", "n_layer", "num_layers", "return_dict"}
# Values that some family gives a meaning to
VALUES = {
    "_remove_final_layer_norm": True,
    "_sliding_window_pattern": 2,
    "activation_function": "relu",
    "alibi": True,
    "attention_bias": True,
    "attention_chunk_size": 4,
    "attn_logit_softcapping": 1.0,
    "clip_qkv": 0.3,
    "hidden_act": "relu",
    "hidden_activation": "relu",
    "hidden_size": 16,
    "is_causal": False,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    "max_position_embeddings": 40,
    "multi_query": False,
    "norm_topk_prob": True,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "original_max_position_embeddings": 8,
    "partial_rotary_factor": 0.5,
    "pretraining_tp": 2,
    "qk_layernorm": True,
    "rope_scaling": {"rope_type": "linear", "factor": 2.0},
    "rope_theta": 7.0,
    "scale_attn_by_inverse_layer_idx": True,
    "sliding_window": 3,
    "sliding_window_pattern": 2,
    "slow_but_exact": True,
    "use_bidirectional_attention": True,
    "use_parallel_residual": True,
    "use_qk_norm": True,
    "use_sliding_window": True,
}
DELETED = object()


def vary(config):
    """All variants of a config: (key, value)."""
    defaults = json.loads(CONFIG_MAPPING[config["model_type"]]().to_json_string(use_diff=False))
    for key in dict.fromkeys([*config, *defaults, *VALUES]):
        if key in SKIPPED or key.endswith("_token_id"):
            continue
        value = config.get(key, defaults.get(key))
        if isinstance(value, bool):
            yield key, not value
        elif isinstance(value, (int, float)):
            yield key, value * 2 or 1
            yield key, max(value // 2, 1) if isinstance(value, int) else value / 3
        if key in VALUES and VALUES[key] != value:
            yield key, VALUES[key]
        if key in config:
            yield key, DELETED


def measure(folder, texts):
    has_alibi = json.loads((folder / "config.json").read_text()).get("alibi")
    model, report = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=torch.float32,
        attn_implementation="sdpa" if has_alibi else "eager",
        output_loading_info=True,
    )
    if report["missing_keys"]:
        return None
    angles = [measure_angles(read_states(model.eval(), tokens)) for tokens in texts]
    return [np.concatenate([text[n] for text in angles], axis=1).mean(axis=1).tolist() for n in angles[0]]


def main():
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    count, seed = map(int, sys.argv[1:])
    configs = {path.parent.name: json.loads(path.read_text()) for path in FIXTURES.glob("families/*/config.json")}
    # Others have code of their own, or a rope that transformers 5.24 never tells the text's length
    configs = {
        name: config
        for name, config in configs.items()
        if config["model_type"] in CONFIG_MAPPING and config["model_type"] != "phimoe"
    }
    variants = [(name, *variant) for name, config in sorted(configs.items()) for variant in vary(config)]
    for name, key, value in random.Random(seed).sample(variants, count):
        config = copy.deepcopy(configs[name])
        line = {"fixture": name, "key": key}
        if value is DELETED:
            config.pop(key)
        else:
            config[key] = line["value"] = value
        source = FIXTURES / "families" / name
        texts = [tokens for tokens in json.loads((source / "reference.json").read_text())["texts"] if len(tokens) > 3]
        line["texts"] = texts[:2]
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(shutil.copytree(source, Path(temporary, "model")))
            (folder / "config.json").write_text(json.dumps(config))
            try:
                line["distances"] = measure(folder, line["texts"])
            except Exception:  # Whatever transformers refuses in whatever way
                line["distances"] = None
        print(json.dumps(line))


if __name__ == "__main__":
    main()
