"""Makes small random decoders, exports them to ONNX as people do today, and measures them in PyTorch.

    python test/interop/make_exports.py (genai|optimum|fixtures) FOLDER [NAME ...]

`genai` builds with onnxruntime-genai's builder, `optimum` exports with optimum-onnx; they want other versions of
transformers, so each runs under a Python of its own (requirements-genai.txt, requirements-optimum.txt). Each folder
has the export, reference.json (see fixtures/reference.py) and perplexity.json (see fixtures/make-perplexity.py), of
PyTorch for an export in float32, of the same graph in Python's ONNX Runtime for one in less. A folder that the
exporter fails to make ends the script. `fixtures` makes some of test/fixtures/onnx, smaller, with the first.
Prints one JSON line a model: {"name", "folder", "precision"}.
"""

import copy
import importlib.util
import json
import logging
import os
import shutil
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, PreTrainedTokenizerFast
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

FIXTURES = Path(__file__).parent.parent / "fixtures"
sys.path[:0] = [str(Path(__file__).parent), str(FIXTURES)]
from export_settings import GENAI, OPTIMUM, OTHER_NORM, SHORT, SIZES, SMALL, SMALL_SIZES, VISION_SIZES
from reference import write_reference
from run_states import run_states

spec = importlib.util.spec_from_file_location("make_perplexity", FIXTURES / "make-perplexity.py")
make_perplexity = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_perplexity)

MAX_LENGTH = 48


def fit(config_class, sizes: dict, settings: dict) -> dict:
    renamed = getattr(config_class, "attribute_map", {})
    known = set(config_class().to_dict()) | set(renamed)
    fitting = {key: size for key, size in sizes.items() if key in known and renamed.get(key) not in sizes}
    return {**fitting, **copy.deepcopy(settings), "model_type": config_class.model_type}


def make_model(family: str, sizes: dict, settings: dict, attention: str) -> torch.nn.Module:
    config_class = CONFIG_MAPPING[family]
    parts = getattr(config_class, "sub_configs", {})
    if "text_config" in parts:
        text, vision = (find_part(config_class, part) for part in ("text_config", "vision_config"))
        config = AutoConfig.for_model(
            family,
            text_config=fit(text, sizes, settings),
            vision_config=fit(vision, VISION_SIZES, {}),
            tie_word_embeddings=settings.get("tie_word_embeddings", False),
        )
        auto_class = AutoModelForImageTextToText
    else:
        config = AutoConfig.for_model(**fit(config_class, sizes, settings))
        auto_class = AutoModelForCausalLM
    torch.manual_seed(0)
    model = auto_class.from_config(config, attn_implementation=attention).float().eval()
    shake(model)
    return model


def find_part(config_class, name: str):
    found = config_class.sub_configs[name]
    return CONFIG_MAPPING[config_class().to_dict()[name]["model_type"]] if found is AutoConfig else found


@torch.no_grad()
def shake(model: torch.nn.Module) -> None:
    """Weights large enough that every layer matters; what decays states keeps about what it was made with."""
    stored = set(model.state_dict())
    constants = [*model.named_parameters(), *((name, buffer) for name, buffer in model.named_buffers() if name in stored)]
    for name, tensor in constants:
        if not tensor.is_floating_point():
            continue
        if tensor.ndim < 2 or "A_log" in name or ".norm" in name:
            tensor.add_(0.1 * torch.randn_like(tensor))
        elif "conv" in name and tensor.ndim == 3:
            tensor.copy_(torch.randn_like(tensor))
        else:
            tensor.copy_(torch.randn_like(tensor) * 0.7 / tensor.shape[-1] ** 0.5)


def read_token_lists(tokenizer: PreTrainedTokenizerFast, max_length: int) -> list[list[int]]:
    texts = [json.loads(line)["text"] for line in (FIXTURES / "texts.jsonl").read_text().splitlines()]
    return tokenizer(texts, truncation=True, max_length=max_length).input_ids


def build_with_genai(source: Path, target: Path, precision: str) -> None:
    from onnxruntime_genai.models.builder import create_model, parse_extra_options

    # As transformers 4 spelled it; transformers 5 moves it when it reads a config
    transformers.Gemma3TextConfig.rope_local_base_freq = 10.0
    cache = source.parent / "cache"
    given = (None, str(source), str(target), precision, "cpu", str(cache))
    options = parse_extra_options(*given, ["block_size=32"] if precision == "int4" else [])
    create_model(*given, **options)


def export_with_optimum(source: Path, target: Path, _precision: str) -> None:
    from optimum.exporters.onnx import main_export

    main_export(str(source), target, task="text-generation-with-past", do_validation=False)


def export(exporter, model: torch.nn.Module, folder: Path, precision: str, max_length: int) -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(FIXTURES / "onnx" / "llama")
    token_lists = read_token_lists(tokenizer, max_length)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    is_same_model = precision == "fp32" and folder.name not in OTHER_NORM
    # Before the export: optimum leaves some models changed
    if is_same_model:
        write_reference(model, token_lists, folder / "reference.json", max_length)
        write_json(folder / "perplexity.json", make_perplexity.measure_cuts(model, token_lists))
    with tempfile.TemporaryDirectory() as temporary, redirect_stdout(sys.stderr):
        source = Path(temporary, "source")
        model.save_pretrained(source)
        tokenizer.save_pretrained(source)
        exporter(source, folder, precision)
    if not is_same_model:
        reference, perplexity = run_states(folder / "model.onnx", token_lists)
        write_json(folder / "reference.json", {"texts": token_lists, "maxLength": max_length, **reference})
        write_json(folder / "perplexity.json", {"": perplexity})


def write_json(path: Path, value) -> None:
    path.write_text(json.dumps(value, separators=(",", ":")) + "\n")


def drop_shapes(graph: Path) -> None:
    """Removes the inferred shapes of inner tensors, which are a third of a file this small."""
    import onnx

    model = onnx.load(graph, load_external_data=False)
    del model.graph.value_info[:]
    onnx.save(model, graph)


def main(kind: str, target: Path, names: list[str]) -> None:
    table = {"genai": GENAI, "optimum": OPTIMUM, "fixtures": SMALL}[kind]
    exporter = "optimum" if kind == "optimum" else "genai"
    run = export_with_optimum if kind == "optimum" else build_with_genai
    for name, (family, settings, *precision) in table.items():
        if names and name not in names:
            continue
        folder = target / f"{exporter}-{name}"
        sizes = SMALL_SIZES if kind == "fixtures" else SIZES
        model = make_model(family, sizes, settings, "eager" if exporter == "genai" else "sdpa")
        [precision] = precision or ["fp32"]
        export(run, model, folder, precision, SHORT.get(folder.name, MAX_LENGTH))
        if kind == "fixtures":
            drop_shapes(folder / "model.onnx")
        print(json.dumps({"name": folder.name, "folder": str(folder), "precision": precision}), flush=True)


if __name__ == "__main__":
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("onnxruntime").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
