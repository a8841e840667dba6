#!/usr/bin/env python3
"""The work that PruneMe does, written for comparison: every layer's hidden state of the last token of each text by
PyTorch, and the angular distance of every block of n layers. Prints the distances as JSON, and on stderr how many tokens
a second the loop takes, loading left out.

    pip install torch transformers
    python bench/pytorch_loop.py --model M --dataset texts.jsonl --layers-to-skip 8
"""
import argparse
import json
import sys
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def angular_distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    cosine = torch.nn.functional.cosine_similarity(a.double(), b.double(), dim=-1)
    return torch.arccos(cosine.clamp(-1, 1)) / torch.pi


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--dataset", required=True, help="a .jsonl file with a column text")
    parser.add_argument("--dataset-size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--layers-to-skip", type=int, required=True)
    args = parser.parse_args()

    with open(args.dataset, encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line, _ in zip(lines, range(args.dataset_size))]
    tokenizer = AutoTokenizer.from_pretrained(args.model, padding_side="right")
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()

    n = args.layers_to_skip
    sums = torch.zeros(model.config.num_hidden_layers - n + 1, dtype=torch.float64)
    tokens = 0
    begin = time.perf_counter()
    for start in range(0, len(texts), args.batch_size):
        batch = tokenizer(
            texts[start : start + args.batch_size],
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=args.max_length,
        )
        with torch.no_grad():
            states = model(**batch, output_hidden_states=True).hidden_states
        last = batch["attention_mask"].sum(1) - 1
        tokens += int(batch["attention_mask"].sum())
        rows = torch.arange(len(last))
        vectors = [state[rows, last] for state in states]
        for block in range(len(sums)):
            sums[block] += angular_distance(vectors[block], vectors[block + n]).sum()
    print(f"{tokens / (time.perf_counter() - begin):.0f} tokens/s", file=sys.stderr)
    print(json.dumps((sums / len(texts)).tolist()))


if __name__ == "__main__":
    main()
