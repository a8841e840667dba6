"""Makes small random decoders of many families, which decoders.test.ts prunes.

    python test/interop/make_decoders.py FOLDER [NAME ...]

Each folder has config.json and the weights as save_pretrained writes them; of some families there is another with
config.json as it is published. Prints one JSON line a model: {"name", "folder"}. Needs torch and
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
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMultimodalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.utils import logging

sys.path.insert(0, str(Path(__file__).parent))
from decoder_settings import DECODERS, PUBLISHED, SIZES, TOWER_SIZES, WRAPPER_SETTINGS, WRAPPERS

WEIGHTS = "model.safetensors"


def fit(config_class, sizes: dict, settings: dict) -> dict:
    renamed = getattr(config_class, "attribute_map", {})
    known = set(config_class.__dataclass_fields__) | set(renamed)
    fitting = {key: size for key, size in sizes.items() if key in known and renamed.get(key) not in sizes}
    merged = {**fitting, **copy.deepcopy(settings), "model_type": config_class.model_type}
    return {key: value for key, value in merged.items() if value is not None}


def make_decoder(family: str, settings: dict):
    config = AutoConfig.for_model(**fit(CONFIG_MAPPING[family], SIZES, settings))
    return make_model(AutoModelForCausalLM, config)


def make_wrapper(family: str, vision: str | None, text: str | None, settings: dict):
    named = {"text_config": text, "vision_config": vision}
    parts = {}
    for key, default in CONFIG_MAPPING[family].sub_configs_defaults.items():
        own = default.config_class if hasattr(default.config_class, "model_type") else CONFIG_MAPPING[default.model_type]
        part_class = CONFIG_MAPPING[named[key]] if named.get(key) else own
        parts[key] = fit(part_class, SIZES, settings) if key == "text_config" else fit(part_class, TOWER_SIZES, {})
    config = AutoConfig.for_model(family, **parts, **WRAPPER_SETTINGS.get(family, {}))
    return make_model(AutoModelForMultimodalLM, config)


def make_model(auto_class, config):
    torch.manual_seed(0)
    model = auto_class.from_config(config, attn_implementation="eager").float().eval()
    shake(model)
    return model


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


def save(model, target: Path, name: str) -> None:
    folder = target / name
    model.save_pretrained(folder)
    print(json.dumps({"name": name, "folder": str(folder)}), flush=True)
    for published, (base, *edits) in PUBLISHED.items():
        if base != name:
            continue
        copied = shutil.copytree(folder, target / published)
        rewrite(copied, *edits)
        print(json.dumps({"name": published, "folder": str(copied)}), flush=True)


def main(target: Path, names: list[str]) -> None:
    for name, settings in DECODERS.items():
        if not names or name in names:
            save(make_decoder(name, settings), target, name)
    for name, parts in WRAPPERS.items():
        if not names or name in names:
            save(make_wrapper(*parts), target, name)


if __name__ == "__main__":
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), sys.argv[2:])
