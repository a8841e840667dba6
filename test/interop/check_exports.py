"""Scores texts with pruned ONNX exports, one token after the other, in the runtime of their exporter.

    python test/interop/check_exports.py (genai|optimum) CASES

CASES is a JSON file: [{"name", "folder", "texts"}, ...]. Prints a JSON line for each: {"name", "scores"}, the negative
log-likelihood of all tokens but the first of each text. Every token is a run of its own, so that each cache is read
and written under its new number.
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np

MAX_LENGTH = 64


def step_genai(folder: str):
    import onnxruntime_genai

    model = onnxruntime_genai.Model(folder)

    def steps(tokens):
        params = onnxruntime_genai.GeneratorParams(model)
        params.set_search_options(max_length=MAX_LENGTH)
        generator = onnxruntime_genai.Generator(model, params)
        for token in tokens[:-1]:
            generator.append_tokens(np.array([token], np.int32))
            yield generator.get_logits().reshape(-1)

    return steps


def step_optimum(folder: str):
    import onnxruntime

    session = onnxruntime.InferenceSession(f"{folder}/model.onnx")
    caches = {entry.name: entry.shape for entry in session.get_inputs() if entry.name.startswith("past_key_values")}
    wants_positions = any(entry.name == "position_ids" for entry in session.get_inputs())
    outputs = ["logits", *(name.replace("past_key_values", "present") for name in caches)]

    def steps(tokens):
        past = {name: np.zeros([1, heads, 0, size], np.float32) for name, (_, heads, _, size) in caches.items()}
        for count, token in enumerate(tokens[:-1], 1):
            feeds = {"input_ids": np.array([[token]]), "attention_mask": np.ones([1, count], np.int64), **past}
            if wants_positions:
                feeds["position_ids"] = np.array([[count - 1]])
            logits, *present = session.run(outputs, feeds)
            past = dict(zip(caches, present))
            yield logits.reshape(-1)

    return steps


def score(steps, tokens: list[int]) -> float:
    total = 0.0
    for logits, target in zip(steps(tokens), tokens[1:]):
        shifted = logits.astype(np.float64) - logits.max()
        total += np.log(np.exp(shifted).sum()) - shifted[target]
    return float(total)


def main(runtime: str, cases: str) -> None:
    open_steps = step_genai if runtime == "genai" else step_optimum
    with open(cases) as file:
        for case in json.load(file):
            steps = open_steps(case["folder"])
            scores = [score(steps, tokens) for tokens in case["texts"]]
            print(json.dumps({"name": case["name"], "scores": scores}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
