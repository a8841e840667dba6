"""Runs mergekit on slice YAMLs and checks every tensor of what it writes.

    python test/interop/check_mergekit.py [--make-small] MODEL_FOLDER SLICE_YAML...

MODEL_FOLDER holds a Llama-like checkpoint in safetensors; --make-small writes a random one of 6 layers there
first. Each YAML must keep layers of that one model. Works offline, merges into temporary folders. Prints one
JSON line a YAML: the layers kept and the number of tensors found equal byte for byte, layer numbers shifted.
Needs mergekit in its environment (tried with 0.1.5).
"""

import argparse
import json
import os
import re
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import torch
import yaml
from mergekit.config import MergeConfiguration
from mergekit.merge import run_merge
from mergekit.options import MergeOptions
from safetensors import safe_open
from transformers import LlamaConfig, LlamaForCausalLM


def make_small(folder: Path) -> None:
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)


def read_tensors(folder: Path) -> dict[str, torch.Tensor]:
    tensors = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as opened:
            tensors.update({name: opened.get_tensor(name) for name in opened.keys()})
    assert tensors, f"no safetensors in {folder}"
    return tensors


def same_bytes(a: torch.Tensor, b: torch.Tensor) -> bool:
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return torch.equal(a.reshape(-1).view(torch.uint8), b.reshape(-1).view(torch.uint8))


def check(folder: Path, slice_yaml: Path) -> dict:
    config = MergeConfiguration.model_validate(yaml.safe_load(slice_yaml.read_text()))
    sources = [source for piece in config.slices for source in piece.sources]
    named = {source.model.model.path for source in sources}
    assert named == {str(folder)}, f"mergekit reads the model as {named}, expected {folder}"
    assert all(source.model.lora is None for source in sources), "mergekit sees an adapter"
    kept = [layer for source in sources for layer in range(*source.layer_range)]

    with tempfile.TemporaryDirectory() as out:
        # The copied tokenizer is not what is tested, and the small model has none.
        options = MergeOptions(write_model_card=False, copy_tokenizer=False, quiet=True)
        run_merge(config, out, options)
        layers = json.loads((Path(out) / "config.json").read_text())["num_hidden_layers"]
        merged = read_tensors(Path(out))
    assert layers == len(kept), f"merged config says {layers} layers, expected {len(kept)}"

    original = read_tensors(folder)
    expected = {name: name for name in original if not re.search(r"\.layers\.\d+\.", name)}
    for new, old in enumerate(kept):
        prefix = f"model.layers.{old}."
        for name in original:
            if name.startswith(prefix):
                expected[f"model.layers.{new}.{name[len(prefix):]}"] = name
    assert merged.keys() == expected.keys(), f"tensors differ: {sorted(merged.keys() ^ expected.keys())}"
    for new, old in expected.items():
        assert same_bytes(merged[new], original[old]), f"{new} differs from the original's {old}"
    return {"kept": kept, "tensors": len(merged)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--make-small", action="store_true")
    parser.add_argument("model_folder", type=Path)
    parser.add_argument("slice_yaml", type=Path, nargs="+")
    arguments = parser.parse_args()
    if arguments.make_small:
        make_small(arguments.model_folder)
    for file in arguments.slice_yaml:
        print(json.dumps(check(arguments.model_folder, file)))
