"""Loads pruned folders in transformers and compares them with the whole model, its layers passed over.

    python test/interop/check_pruned.py CASES_JSON

CASES_JSON is a list of {"model", "pruned", "kept", "texts", "logits"}: folders, the old numbers of the layers
that stay, token ids, and the logits that our own cut graph gives for each token of each text. Prints one JSON
line a case with the largest differences, as parts of the largest logit. Needs torch and transformers (tried with
2.13 and 5.24).
"""

import json
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from torch import nn
from transformers import AutoModelForCausalLM


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
        return (hidden_states, *output[1:]) if isinstance(output, tuple) else hidden_states


def load(folder: str):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def find_layers(model, count: int) -> nn.ModuleList:
    lists = [
        module
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == count and not any(map(str.isdigit, name.split(".")))
    ]
    assert len(lists) == 1, f"{len(lists)} lists of {count} modules"
    return lists[0]


@torch.no_grad()
def logits_of(model, texts: list[list[int]]) -> torch.Tensor:
    rows = [model(torch.tensor([ids]), use_cache=False).logits[0] for ids in texts]
    return torch.cat(rows).double()


def check(case: dict) -> dict:
    whole = load(case["model"])
    count = getattr(whole.config, "num_hidden_layers")
    layers = find_layers(whole, count)
    for number in range(count):
        if number not in case["kept"]:
            layers[number] = PassedOver(layers[number])
    pruned = load(case["pruned"])
    assert pruned.config.num_hidden_layers == len(case["kept"])
    expected = logits_of(whole, case["texts"])
    found = logits_of(pruned, case["texts"])
    ours = torch.tensor(case["logits"], dtype=torch.float64).view_as(found)
    scale = expected.abs().max()
    return {
        "name": Path(case["model"]).name,
        "passedOver": ((found - expected).abs().max() / scale).item(),
        "cutGraph": ((found - ours).abs().max() / scale).item(),
    }


if __name__ == "__main__":
    for case in json.loads(Path(sys.argv[1]).read_text()):
        print(json.dumps(check(case)), flush=True)
