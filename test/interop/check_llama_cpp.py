"""Prints the logits that llama.cpp computes for token ids, one JSON line per GGUF file: [tokens, vocabulary].

    python check_llama_cpp.py '[0, 5, 7]' FILE...

A file that llama.cpp does not load is an error. Keys and values are cached in float32.
"""

import json
import sys

import numpy as np
from llama_cpp import GGML_TYPE_F32, Llama

ids = json.loads(sys.argv[1])
for path in sys.argv[2:]:
    model = Llama(
        path,
        n_ctx=64,
        n_threads=1,
        logits_all=True,
        verbose=False,
        type_k=GGML_TYPE_F32,
        type_v=GGML_TYPE_F32,
    )
    model.eval(ids)
    print(json.dumps(np.asarray(model.scores[: len(ids)], dtype=np.float64).tolist()))
