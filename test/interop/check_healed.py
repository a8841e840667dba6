"""Loads healed models in transformers and their adapters in PEFT, and compares what they compute.

    python test/interop/check_healed.py MODEL HEALED ADAPTER [MODEL HEALED ADAPTER...]

HEALED is the model with the adapter merged into it. Prints one JSON line per model: the type in which its weights are
stored, and the largest difference between its logits and those of MODEL with ADAPTER, as PEFT runs it, of the same merged
by PEFT and rounded to that type, and of MODEL. Needs peft, transformers and torch.
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from peft import PeftModel
from transformers import AutoConfig, AutoModelForCausalLM

IDS = torch.tensor([[5, 17, 33, 8, 41, 29, 3, 12, 50, 7, 22, 60]])


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def run(model):
    with torch.no_grad():
        return model(input_ids=IDS).logits


if __name__ == "__main__":
    folders = sys.argv[1:]
    for model, healed, adapter in zip(folders[::3], folders[1::3], folders[2::3], strict=True):
        logits = run(load(healed))
        dtype = AutoConfig.from_pretrained(model).dtype
        adapted = PeftModel.from_pretrained(load(model), adapter)
        with_adapter = run(adapted)
        merged = adapted.merge_and_unload()
        for parameter in merged.parameters():
            parameter.data = parameter.data.to(dtype).float()
        print(
            json.dumps(
                {
                    "dtype": str(dtype).removeprefix("torch."),
                    "fromAdapter": (logits - with_adapter).abs().max().item(),
                    "fromMerged": (logits - run(merged)).abs().max().item(),
                    "fromModel": (logits - run(load(model))).abs().max().item(),
                }
            ),
            flush=True,
        )
