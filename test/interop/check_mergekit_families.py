"""Runs mergekit on the slices of models and compares what it writes with what layerprune prune wrote.

    python test/interop/check_mergekit_families.py CASES

CASES is a JSON file: a list of {"name", "slices", "pruned"}, a YAML for mergekit and the folder of the same cut by
prune. Prints one JSON line a case: {"name", "difference"}, the relative difference of the logits, or {"name", "error"}
if mergekit or transformers refuses. Works offline. Tried with mergekit 0.1.5 and transformers 5.24.
"""

import json
import logging
import os
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import yaml
from mergekit.config import MergeConfiguration
from mergekit.merge import run_merge
from mergekit.options import MergeOptions
from transformers import AutoModelForCausalLM

TOKENS = torch.arange(3, 40)[None]


def run(folder: str) -> torch.Tensor:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        return model(input_ids=TOKENS, use_cache=False).logits.double()


def compare(case: dict) -> dict:
    config = MergeConfiguration.model_validate(yaml.safe_load(Path(case["slices"]).read_text()))
    options = MergeOptions(write_model_card=False, copy_tokenizer=False, quiet=True)
    with tempfile.TemporaryDirectory() as merged:
        try:
            run_merge(config, merged, options)
            found = run(merged)
        except Exception as error:
            return {"name": case["name"], "error": f"{type(error).__name__}: {error}"[:200]}
    expected = run(case["pruned"])
    return {"name": case["name"], "difference": ((found - expected).norm() / expected.norm()).item()}


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    for case in json.loads(Path(sys.argv[1]).read_text()):
        print(json.dumps(compare(case)), flush=True)
