"""Trains the example model from nothing and writes examples/model and examples/texts.jsonl.

    python examples/train/train.py [--steps 900] [--threads 1]

A Llama of 12 layers on the stories of make_text.py, seeded, on the CPU (about 10 minutes on one core). Needs:

    pip install torch==2.13.0 "optimum-onnx[onnxruntime]==0.1.0" onnxslim==0.1.98

Writes the checkpoint in bfloat16, the same values as ONNX in float32 and quantised to 8 bits, 200 held-out
stories, PyTorch's distances on them (test/fixtures/example-reference.json) and examples/README.md.
"""

import argparse
import json
import math
import shutil
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np
import onnx
import torch
from make_text import make_stories
from onnxruntime.quantization import QuantType, quantize_dynamic
from optimum.exporters.onnx import main_export
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

EXAMPLES = Path(__file__).parent.parent
FIXTURES = EXAMPLES.parent / "test" / "fixtures"
MODEL = EXAMPLES / "model"
sys.path.insert(0, str(FIXTURES))
from reference import write_reference

SEED = 17
TRAINING_SEED, HELD_OUT_SEED = 1, 2
TRAINING_STORIES = 60_000
HELD_OUT_TEXTS = 200
CONTEXT = 128
BATCH = 32
WARMUP_STEPS = 100
PEAK_RATE = 3e-3
BOS, EOS, PAD = "<s>", "</s>", "<pad>"


def train_tokenizer(stories: list[str]) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=640,
        special_tokens=[BOS, EOS, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(stories, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, 0)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BOS, eos_token=EOS, pad_token=PAD, model_max_length=512
    )


def make_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    torch.manual_seed(SEED)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=96,
        intermediate_size=224,
        num_hidden_layers=12,
        num_attention_heads=6,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        initializer_range=0.05,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def pack_tokens(tokenizer: PreTrainedTokenizerFast, stories: list[str]) -> torch.Tensor:
    """All stories one after the other, cut into rows of CONTEXT + 1 tokens."""
    rows = tokenizer(stories).input_ids
    flat = np.concatenate([[*row, tokenizer.eos_token_id] for row in rows])
    count = len(flat) // (CONTEXT + 1)
    return torch.from_numpy(flat[: count * (CONTEXT + 1)].reshape(count, CONTEXT + 1))


def learning_rate(step: int, steps: int) -> float:
    if step < WARMUP_STEPS:
        return PEAK_RATE * (step + 1) / WARMUP_STEPS
    progress = (step - WARMUP_STEPS) / (steps - WARMUP_STEPS)
    return PEAK_RATE * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))


def train(model: LlamaForCausalLM, rows: torch.Tensor, steps: int) -> None:
    generator = torch.Generator().manual_seed(SEED)
    epochs = steps * BATCH // len(rows) + 1
    order = torch.cat([torch.randperm(len(rows), generator=generator) for _ in range(epochs)])
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.ndim == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=PEAK_RATE, betas=(0.9, 0.95))
    model.train()
    start = time.monotonic()
    for step in range(steps):
        batch = rows[order[step * BATCH : (step + 1) * BATCH]]
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps)
        logits = model(input_ids=batch[:, :-1], use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 0 or step == steps - 1:
            print(f"step {step}: loss {loss.item():.4f}, {time.monotonic() - start:.0f} s", flush=True)


def choose_held_out(tokenizer: PreTrainedTokenizerFast, seen: set[str]) -> list[str]:
    """Stories of 60 to 120 tokens that the model has not seen."""
    candidates = make_stories(HELD_OUT_TEXTS * 10, HELD_OUT_SEED)
    unseen = (text for text in candidates if text not in seen)
    return list(
        islice((text for text in unseen if 60 <= len(tokenizer(text).input_ids) <= 120), HELD_OUT_TEXTS)
    )


def measure_perplexity(model: LlamaForCausalLM, token_lists: list[list[int]]) -> float:
    """exp of the mean negative log-likelihood of every token but the first of each text."""
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens in token_lists:
            ids = torch.tensor([tokens])
            scores = model(input_ids=ids, use_cache=False).logits[0, :-1].double().log_softmax(-1)
            total -= scores.gather(1, ids[0, 1:, None]).sum().item()
            count += len(tokens) - 1
    return math.exp(total / count)


def write_onnx(target: Path) -> None:
    """The saved checkpoint as one float32 file with its weights inside, and the same in 8 bits."""
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        task = "text-generation-with-past"
        main_export(str(MODEL), temporary, task=task, dtype="fp32", do_validation=False, slim=True)
        shutil.copy(Path(temporary, "model.onnx"), target)
    full, quantised = target / "model.onnx", target / "model_quantized.onnx"
    quantize_dynamic(
        full,
        quantised,
        weight_type=QuantType.QInt8,
        extra_options={"EnableSubgraph": True, "MatMulConstBOnly": True},
    )
    for path in (full, quantised):
        graph = onnx.load(path)
        del graph.graph.value_info[:]
        onnx.save(graph, path)


def write_readme(perplexity: float, parameter_count: int, tokens: int) -> None:
    (EXAMPLES / "README.md").write_text(f"""# The example model

`model/` is a Llama of 12 layers ({parameter_count:,} parameters) that we trained on little stories from a
grammar of our own (`train/make_text.py`): names and trades recalled later, counting and small sums, lists
copied and reversed, things followed from place to place, nested clauses.
It exists so that layerprune has a trained model to show, one whose layers differ, in a few megabytes.

| file | what it holds |
| --- | --- |
| `model/model.safetensors` | the weights in bfloat16 |
| `model/onnx/model.onnx` | the same values in float32, exported by optimum-onnx |
| `model/onnx/model_quantized.onnx` | 8-bit weights, as transformers.js's `q8` |
| `texts.jsonl` | {HELD_OUT_TEXTS} stories that it was not trained on, 60 to 120 tokens each |

Perplexity on `texts.jsonl`: **{perplexity:.3f}** ({tokens:,} tokens, the first of each text not scored).

To train it again (PyTorch, about 10 minutes on one core; see the top of the script for the packages):

    python examples/train/train.py

The same machine and the same versions give the same weights; others differ in the last digits, and so in the
distances.
""")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    stories = list(make_stories(TRAINING_STORIES, TRAINING_SEED))
    tokenizer = train_tokenizer(stories[:10_000])
    texts = choose_held_out(tokenizer, set(stories))
    rows = pack_tokens(tokenizer, stories)
    model = make_model(tokenizer)
    print(f"{model.num_parameters():,} parameters, {len(rows):,} rows of {CONTEXT} tokens")
    train(model, rows, options.steps)

    shutil.rmtree(MODEL, ignore_errors=True)
    model = model.bfloat16().eval()
    model.generation_config = GenerationConfig(bos_token_id=0, eos_token_id=1, pad_token_id=2)
    model.save_pretrained(MODEL)
    tokenizer.save_pretrained(MODEL)
    (MODEL / "special_tokens_map.json").unlink()
    write_onnx(MODEL / "onnx")
    (EXAMPLES / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))

    model = LlamaForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()
    token_lists = tokenizer(texts).input_ids
    perplexity = measure_perplexity(model, token_lists)
    write_readme(perplexity, model.num_parameters(), sum(map(len, token_lists)))
    path = FIXTURES / "example-reference.json"
    reference = write_reference(model, token_lists, path, CONTEXT, with_tokens=False)
    print(f"perplexity {perplexity:.4f}")
    for n in (3, 4):
        print(n, *(f"{distance:.4f}" for distance in reference["last"][str(n)]))


if __name__ == "__main__":
    main()
