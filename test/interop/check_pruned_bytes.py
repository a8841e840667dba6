"""Compares pruned folders with what mergekit writes for the same slices, byte for byte.

    python test/interop/check_pruned_bytes.py SLICE_YAML PRUNED_FOLDER [SLICE_YAML PRUNED_FOLDER...]

Prints one JSON line a pair: the number of tensors found equal. Needs mergekit in its environment (tried with
0.1.5); works offline.
"""

import json
import sys
import tempfile
from pathlib import Path

import yaml
from check_mergekit import read_tensors, same_bytes
from mergekit.config import MergeConfiguration
from mergekit.merge import run_merge
from mergekit.options import MergeOptions


def check(slice_yaml: Path, pruned: Path) -> dict:
    config = MergeConfiguration.model_validate(yaml.safe_load(slice_yaml.read_text()))
    with tempfile.TemporaryDirectory() as out:
        run_merge(config, out, MergeOptions(write_model_card=False, copy_tokenizer=False, quiet=True))
        merged = read_tensors(Path(out))
    ours = read_tensors(pruned)
    assert merged.keys() == ours.keys(), f"tensors differ: {sorted(merged.keys() ^ ours.keys())}"
    for name, tensor in merged.items():
        assert same_bytes(tensor, ours[name]), f"{name} differs"
    return {"tensors": len(merged)}


if __name__ == "__main__":
    paths = [Path(argument) for argument in sys.argv[1:]]
    for slice_yaml, pruned in zip(paths[::2], paths[1::2], strict=True):
        print(json.dumps(check(slice_yaml, pruned)), flush=True)
