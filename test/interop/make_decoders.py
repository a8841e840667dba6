"""Makes small random decoders of many families, which decoders.test.ts prunes.

    python test/interop/make_decoders.py FOLDER [NAME ...]

Each folder has config.json and the weights as save_pretrained writes them; of some families there is another with
config.json as it is published. Prints one JSON line a model: {"name", "folder", "family"}. Needs torch and
transformers (tried with 2.13 and 5.24).
"""

import copy
import json
import os
import shutil
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.utils import logging

sys.path.insert(0, str(Path(__file__).parent))
from decoder_settings import DECODERS, PUBLISHED, SIZES

WEIGHTS = "model.safetensors"


def make_model(family: str, settings: dict):
    config_class = CONFIG_MAPPING[family]
    renamed = getattr(config_class, "attribute_map", {})
    known = set(config_class.__dataclass_fields__) | set(renamed)
    sizes = {key: size for key, size in SIZES.items() if key in known and renamed.get(key) not in SIZES}
    merged = {key: value for key, value in {**sizes, **copy.deepcopy(settings)}.items() if value is not None}
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **merged), attn_implementation="eager")
    shake(model.float())
    return model.eval()


@torch.no_grad()
def shake(model) -> None:
    """Weights large enough that every layer matters; what decays states keeps about what it was made with."""
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2 or "A_log" in name or "conv" in name or ".norm" in name:
            parameter.add_(0.1 * torch.randn_like(parameter))
        else:
            parameter.copy_(torch.randn_like(parameter) * 0.7 / parameter.shape[-1] ** 0.5)


def rewrite(folder: Path, edit_config, edit_tensors) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    if edit_config:
        edit_config(config)
    path.write_text(json.dumps(config, indent=2) + "\n")
    if edit_tensors:
        save_file(edit_tensors(load_file(folder / WEIGHTS)), folder / WEIGHTS, metadata={"format": "pt"})


def main(target: Path, names: list[str]) -> None:
    for family, settings in DECODERS.items():
        variants = {name: edits for name, (base, *edits) in PUBLISHED.items() if base == family}
        if names and family not in names and not set(names) & set(variants):
            continue
        folder = target / family
        make_model(family, settings).save_pretrained(folder)
        print(json.dumps({"name": family, "folder": str(folder)}), flush=True)
        for name, edits in variants.items():
            copied = shutil.copytree(folder, target / name)
            rewrite(copied, *edits)
            print(json.dumps({"name": name, "folder": str(copied)}), flush=True)


if __name__ == "__main__":
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), sys.argv[2:])
