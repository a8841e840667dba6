"""Converts checkpoints with llama.cpp's converter, which names models by their cards, configs and folders.

    LLAMA_CPP=path/to/llama.cpp python convert_to_gguf.py FOLDER ... < NAMES

Writes FOLDER.gguf beside each folder. NAMES is a JSON list of [name, parameters]; prints what the converter reads in each
name, as a line of JSON.
"""

import contextlib
import io
import json
import os
import sys
from pathlib import Path

LLAMA_CPP = Path(os.environ["LLAMA_CPP"])
sys.path[:0] = [str(LLAMA_CPP / "gguf-py"), str(LLAMA_CPP)]

import conversion  # noqa: E402
import gguf  # noqa: E402
from conversion.base import TextModel  # noqa: E402

KEYS = ["name", "organization", "basename", "finetune", "version", "sizeLabel"]


def convert(folder: Path) -> None:
    hparams = conversion.ModelBase.load_hparams(folder, False)
    architecture = conversion.get_model_architecture(hparams, conversion.ModelType.TEXT)
    model_class = conversion.get_model_class(architecture)
    # the converter knows a tokenizer by a hash of what it does; that of the fixtures splits as GPT-2's
    model_class.set_vocab = TextModel._set_vocab_gpt2
    model_class.get_vocab_base_pre = lambda self, tokenizer: "gpt-2"
    file = folder.parent / f"{folder.name}.gguf"
    model_class(folder, gguf.LlamaFileType.ALL_F32, file, eager=True, hparams=hparams).write()


def main() -> None:
    names = json.load(sys.stdin)
    for folder in sys.argv[1:]:
        # its progress is no matter of ours
        with contextlib.redirect_stderr(io.StringIO()):
            convert(Path(folder))
    split = gguf.Metadata.get_model_id_components
    print(json.dumps([dict(zip(KEYS, split(name, parameters))) for name, parameters in names]))


if __name__ == "__main__":
    main()
