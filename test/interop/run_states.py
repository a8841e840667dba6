"""What Python's ONNX Runtime computes for a graph of onnxruntime-genai's builder: states, found by the builder's names."""

import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from reference import measure_angles

STREAM_NORM = re.compile(r"^/model/layers\.(\d+)/(input|operator|final_norm)_?layernorm/(Skip)?LayerNorm$")
SUM_OUTPUT = 3


def name_states(graph: onnx.GraphProto) -> list[str]:
    """Names of state 0 to the last: what the first norm of each layer and the final norm read; in place."""
    states = {}
    for node in graph.node:
        found = STREAM_NORM.match(node.name)
        if found is None:
            continue
        if found[3] is None:
            states[int(found[1])] = node.input[0]
            continue
        node.output.extend([""] * (SUM_OUTPUT + 1 - len(node.output)))
        node.output[SUM_OUTPUT] = node.output[SUM_OUTPUT] or f"{node.name}/sum"
        states[int(found[1])] = node.output[SUM_OUTPUT]
    return [states[layer] for layer in range(len(states))]


def make_feeds(session: onnxruntime.InferenceSession, tokens: list[int], head_size: int) -> dict[str, np.ndarray]:
    feeds = {}
    for entry in session.get_inputs():
        if entry.name == "input_ids":
            feeds[entry.name] = np.array([tokens], np.int64)
        elif entry.name == "attention_mask":
            feeds[entry.name] = np.ones((1, len(tokens)), np.int64)
        elif entry.name == "position_ids":
            positions = np.arange(len(tokens), dtype=np.int64)
            feeds[entry.name] = np.broadcast_to(positions, [*entry.shape[:-2], 1, len(tokens)]).copy()
        else:
            kind = np.float16 if "float16" in entry.type else np.float32
            sizes = {"batch_size": 1, "kv_cache_dim": head_size}
            feeds[entry.name] = np.zeros([sizes.get(size, 0) if isinstance(size, str) else size for size in entry.shape], kind)
    return feeds


def run_states(path: Path, token_lists: list[list[int]]) -> tuple[dict, list[float]]:
    """Mean distances as in reference.py, and the negative log-likelihood of each text."""
    model = onnx.load(path)
    attention = next(node for node in model.graph.node if re.match("(GroupQuery|MultiHead)Attention", node.op_type))
    heads = next(attribute.i for attribute in attention.attribute if attribute.name == "num_heads")
    output_size = next(
        value.type.tensor_type.shape.dim[2].dim_value
        for value in model.graph.value_info
        if value.name == attention.output[0]
    )
    states = name_states(model.graph)
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(state) for state in states)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    per_text, scores = [], []
    for tokens in token_lists:
        logits, *values = session.run(["logits", *states], make_feeds(session, tokens, output_size // heads))
        per_text.append(measure_angles(np.stack([value[0].astype(np.float64) for value in values])))
        scores.append(score(logits[0].astype(np.float64), tokens))
    last, every = {}, {}
    for n in per_text[0]:
        last[str(n)] = np.mean([angles[n][:, -1] for angles in per_text], axis=0).round(10).tolist()
        every[str(n)] = np.concatenate([angles[n] for angles in per_text], axis=1).mean(axis=1).round(10).tolist()
    return {"last": last, "all": every}, scores


def score(logits: np.ndarray, tokens: list[int]) -> float:
    """Negative log-likelihood of all tokens but the first."""
    if len(tokens) < 2:
        return 0
    shifted = logits[:-1] - logits[:-1].max(axis=-1, keepdims=True)
    chances = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return -float(chances[np.arange(len(tokens) - 1), tokens[1:]].sum())
