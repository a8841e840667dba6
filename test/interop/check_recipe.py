"""Checks recipes against the real option names of axolotl, PEFT and transformers, and runs one.

    python test/interop/check_recipe.py [--run] RECIPE_FOLDER MODEL_FOLDER [RECIPE_FOLDER MODEL_FOLDER...]

Every key of axolotl.yaml must be a field of axolotl's schema, and the whole must pass its types. Every keyword
of the calls in heal.py must be known to what is called. The modules that the adapter changes, on the model
itself, must be those of the MLPs and no other; those that it does not change are named. --run trains the first recipe for two steps of 16
tokens on the CPU. Prints one JSON line a recipe. Needs axolotl (its schema alone), peft, transformers, datasets
and torch (tried with 0.19, 0.21, 5.24, 5.2 and 2.13).
"""

import argparse
import ast
import dataclasses
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import yaml
from axolotl.utils.schemas.config import AxolotlInputConfig
from axolotl.utils.schemas.datasets import PretrainingDataset, SFTDataset
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, TrainingArguments


def check_axolotl(text: str) -> None:
    config = yaml.safe_load(text)
    unknown = config.keys() - AxolotlInputConfig.model_fields.keys()
    assert not unknown, f"axolotl knows no {sorted(unknown)}"
    for key, schema in (("datasets", SFTDataset), ("pretraining_dataset", PretrainingDataset)):
        for dataset in config.get(key, []):
            unknown = dataset.keys() - schema.model_fields.keys()
            assert not unknown, f"axolotl's {key} knows no {sorted(unknown)}"
    parsed = AxolotlInputConfig(**config)
    assert parsed.adapter == "qlora" and parsed.learning_rate == config["learning_rate"]


def check_script(text: str) -> dict:
    """@returns the arguments of LoraConfig"""
    known = {
        "LoraConfig": {field.name for field in dataclasses.fields(LoraConfig)},
        "TrainingArguments": {field.name for field in dataclasses.fields(TrainingArguments)},
        "BitsAndBytesConfig": set(inspect.signature(BitsAndBytesConfig.__init__).parameters),
    }
    found = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known:
            names = {keyword.arg for keyword in node.keywords}
            assert names <= known[node.func.id], f"{node.func.id} knows no {sorted(names - known[node.func.id])}"
            found[node.func.id] = node
    assert found.keys() == known.keys(), f"not called: {known.keys() - found.keys()}"
    return {keyword.arg: ast.literal_eval(keyword.value) for keyword in found["LoraConfig"].keywords}


# Modules of a layer that are MLPs, and ends of names of those in a module that can be a mixer too
MLP = re.compile(r"\.(mlp|mlp_block|shared_mlp|feed_forward|ffn|fc1|fc2|block_sparse_moe|experts|shared_experts)\.")
IN_MIXER = re.compile(r"\.mixer\.(up_proj|down_proj|fc[12]_latent_proj)\.$")
ROUTER = re.compile(r"\.(gate|gate\.wg|router|router\.layer|router\.gate|router\.proj|shared_expert_gate)$")


def is_mlp(name: str) -> bool:
    return bool(MLP.search(f"{name}.") or IN_MIXER.search(f"{name}."))


def check_targets(lora: dict, folder: Path) -> dict:
    """@returns how many matrices of the model the adapter changes, and the MLPs' that it does not"""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    expected = {
        name
        for name, module in model.named_modules()
        if type(module).__name__ in ("Linear", "Conv1D") and is_mlp(name) and not ROUTER.search(name)
    }
    experts = {
        name
        for name, parameter in model.named_parameters()
        if is_mlp(name) and (parameter.dim() == 3 or ".experts.mlp." in name)
    }
    adapted = get_peft_model(model, LoraConfig(**lora))
    changed = {
        name.split(".lora_A")[0].removeprefix("base_model.model.").replace(".base_layer", "")
        for name, _ in adapted.named_parameters()
        if ".lora_A" in name
    }
    others = {name for name in changed if not is_mlp(name) or ROUTER.search(name)}
    assert not others, f"changed too: {sorted(others)[:5]}"
    assert bool(experts) == bool(lora.get("target_parameters")), f"experts: {sorted(experts)[:5]}"
    return {"changed": len(changed), "missing": sorted(expected - changed)}


def run(script: Path) -> float:
    """@returns the loss of the last step"""
    text = script.read_text()
    for name, value in (("STEPS", 2), ("MAX_LENGTH", 16), ("AT_ONCE", 2), ("ACCUMULATED", 1)):
        lines = [f"{name} = {value}" if line.startswith(f"{name} = ") else line for line in text.splitlines()]
        text = "\n".join(lines)
    short = script.with_name("short.py")
    short.write_text(text.replace("logging_steps=10", "logging_steps=1") + "\nprint(trainer.state.log_history)\n")
    out = subprocess.run([sys.executable, short.name], cwd=script.parent, capture_output=True, text=True)
    assert out.returncode == 0, out.stderr[-2000:]
    history = ast.literal_eval(out.stdout.strip().splitlines()[-1])
    merged = next(script.parent.glob("*-merged"))
    AutoModelForCausalLM.from_pretrained(merged)
    return [entry["loss"] for entry in history if "loss" in entry][-1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", action="store_true")
    parser.add_argument("folders", nargs="+", type=Path)
    arguments = parser.parse_args()
    for recipe, model in zip(arguments.folders[::2], arguments.folders[1::2], strict=True):
        check_axolotl((recipe / "axolotl.yaml").read_text())
        lora = check_script((recipe / "heal.py").read_text())
        result = {"model": model.name, **check_targets(lora, model)}
        if arguments.run and recipe == arguments.folders[0]:
            result["loss"] = run(recipe / "heal.py")
        print(json.dumps(result), flush=True)
