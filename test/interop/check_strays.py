"""Whether transformers computes the same with keys in config.json that the code of the family never reads.

    python test/interop/check_strays.py < FIXTURES

FIXTURES is a JSON object: for each fixture the keys to add, all at once, with one value after another. Prints a JSON
object of the fixtures that transformers has models for: whether all states and logits stay the same to the bit.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM
from transformers.utils import logging

FAMILIES = Path(__file__).parent.parent / "fixtures" / "families"
VALUES = [3, True]


def compute(fixture, config, attention, tokens):
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(shutil.copytree(FAMILIES / fixture, Path(temporary, "model")))
        (folder / "config.json").write_text(json.dumps(config))
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation=attention)
    with torch.no_grad():
        output = model.eval()(torch.tensor([tokens]), output_hidden_states=True, use_cache=False)
    return [*output.hidden_states, output.logits]


def is_same(fixture, keys):
    config = json.loads((FAMILIES / fixture / "config.json").read_text())
    texts = json.loads((FAMILIES / fixture / "reference.json").read_text())["texts"]
    tokens = max(texts, key=len)
    attention = "sdpa" if config.get("alibi") is True else "eager"
    expected = compute(fixture, config, attention, tokens)
    found = [compute(fixture, {**config, **dict.fromkeys(keys, value)}, attention, tokens) for value in VALUES]
    return all(torch.equal(one, other) for states in found for one, other in zip(expected, states, strict=True))


def main():
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    print(json.dumps({fixture: is_same(fixture, keys) for fixture, keys in json.load(sys.stdin).items()}))


if __name__ == "__main__":
    main()
