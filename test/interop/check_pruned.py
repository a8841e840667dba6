"""Loads pruned folders in transformers and compares them with the whole model, its layers passed over.

    python test/interop/check_pruned.py CASES_JSON

CASES_JSON is a list of {"name", "model", "layers", "pruned", "kept", "texts"}: folders, layers of the whole model,
the old numbers of those that stay, token ids; and optionally "logits", those that our own cut graph gives for each token of each text. Prints one
JSON line a case with the largest differences, as parts of the largest logit, or the error that loading or running
the pruned model gave. Needs torch and transformers (tried with 2.13 and 5.24).
"""

import json
import os
import re
import sys
from functools import lru_cache
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMultimodalLM
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING
from transformers.utils import logging


class PassedOver(nn.Module):
    """A layer whose output is its input, in the form in which the layer gives its output."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def __getattr__(self, name: str):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("layer"), name)

    def forward(self, hidden_states, *args, **kwargs):
        output = self.layer(hidden_states, *args, **kwargs)
        return (hidden_states, *output[1:]) if isinstance(output, (tuple, list)) else hidden_states


def load(folder: str):
    """The model, if its weights are all in the folder: what is missing would be random."""
    config = AutoConfig.from_pretrained(folder)
    known = type(config) in MODEL_FOR_CAUSAL_LM_MAPPING
    # The eager attention of transformers 5.24 adds Falcon's ALiBi twice
    attention = "sdpa" if getattr(config, "alibi", False) else "eager"
    auto_class = AutoModelForCausalLM if known else AutoModelForMultimodalLM
    model, info = auto_class.from_pretrained(
        folder, dtype=torch.float32, attn_implementation=attention, output_loading_info=True
    )
    for what in ("missing_keys", "mismatched_keys"):
        assert not info[what], f"{what}: {info[what]}"
    return model.eval()


@lru_cache(maxsize=1)
def load_once(folder: str):
    return load(folder)


def find_layers(model, count: int) -> nn.ModuleList:
    named = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == count and not any(map(str.isdigit, name.split(".")))
    }
    inside = {name: module for name, module in named.items() if re.search(r"\b(language|text)_model\b", name)}
    lists = list((inside or named).values())
    assert len(lists) == 1, f"{len(lists)} lists of {count} modules"
    return lists[0]


@torch.no_grad()
def logits_of(model, texts: list[list[int]]) -> torch.Tensor:
    rows = [model(torch.tensor([ids]), use_cache=False).logits[0] for ids in texts]
    return torch.cat(rows).double()


@torch.no_grad()
def logits_without(case: dict) -> torch.Tensor:
    """Logits of the whole model, the layers that go passed over."""
    whole = load_once(case["model"])
    layers = find_layers(whole, case["layers"])
    original = list(layers)
    for number, layer in enumerate(original):
        if number not in case["kept"]:
            layers[number] = PassedOver(layer)
    logits = logits_of(whole, case["texts"])
    for number, layer in enumerate(original):
        layers[number] = layer
    return logits


def check(case: dict) -> dict:
    expected = logits_without(case)
    pruned = load(case["pruned"])
    find_layers(pruned, len(case["kept"]))
    found = logits_of(pruned, case["texts"])
    scale = expected.abs().max()
    result = {"name": case["name"], "passedOver": ((found - expected).abs().max() / scale).item()}
    if "logits" in case:
        ours = torch.tensor(case["logits"], dtype=torch.float64).view_as(found)
        result["cutGraph"] = ((found - ours).abs().max() / scale).item()
    return result


def check_or_say_why(case: dict) -> dict:
    try:
        return check(case)
    except Exception as error:
        return {"name": case["name"], "error": f"{type(error).__name__}: {error}"[:500]}


if __name__ == "__main__":
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    for case in json.loads(Path(sys.argv[1]).read_text()):
        print(json.dumps(check_or_say_why(case)), flush=True)
