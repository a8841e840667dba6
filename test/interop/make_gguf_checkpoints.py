"""Saves the checkpoints of the GGUF fixtures that are made with other settings than their families' fixtures.

    LLAMA_CPP=path/to/llama.cpp python make_gguf_checkpoints.py FOLDER

Each folder in FOLDER has the checkpoint of the fixture of its name, which llama.cpp's converter made from it. Needs what
test/fixtures/make-gguf.py needs. Prints the names as a line of JSON.
"""

import contextlib
import importlib
import io
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))
make_gguf = importlib.import_module("make-gguf")


def main() -> None:
    make_gguf.transformers.logging.set_verbosity_error()
    make_gguf.torch.set_num_threads(1)
    families = make_gguf.families
    tokenizer = make_gguf.transformers.PreTrainedTokenizerFast.from_pretrained(families.TOKENIZER)
    lines = (families.FIXTURES / "texts.jsonl").read_text().splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    length = make_gguf.MAX_LENGTH
    token_lists = [tokenizer(text, truncation=True, max_length=length).input_ids for text in texts]
    # the references are those of the fixtures
    make_gguf.write_reference = lambda *_: None
    names = [name for name, changes in make_gguf.MODELS.items() if changes]
    for name in names:
        folder = Path(sys.argv[1]) / name
        folder.mkdir()
        with contextlib.redirect_stderr(io.StringIO()):
            make_gguf.make_variant(name, make_gguf.MODELS[name], folder, token_lists)
    print(json.dumps(names))


if __name__ == "__main__":
    main()
