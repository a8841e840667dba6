#!/usr/bin/env python3
"""arc_easy by lm-evaluation-harness in float32 on the processor, written for comparison. Prints acc and acc_norm as
JSON.

    pip install lm_eval torch transformers
    python bench/lm_eval_loop.py --model M --limit 200 [--data FOLDER]
"""
import argparse
import json
import tempfile
from pathlib import Path

import lm_eval
from lm_eval.tasks import TaskManager

TASK = "arc_easy"


def write_local_task(folder: Path, data: Path) -> str:
    """The task with documents that are files: SPLIT.jsonl in a folder."""
    source = Path(lm_eval.__file__).parent / "tasks" / "arc" / f"{TASK}.yaml"
    files = {path.stem: str(path) for path in sorted(data.glob("*.jsonl"))}
    name = f"local_{TASK}"
    (folder / f"{name}.yaml").write_text(
        f"include: {source}\ntask: {name}\ndataset_path: json\ndataset_name: null\n"
        f"dataset_kwargs: {json.dumps({'data_files': files})}\n"
    )
    return name


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--data", type=Path, help="folder of the documents (default: from the Hub)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        name = TASK if args.data is None else write_local_task(Path(temporary), args.data)
        found = lm_eval.simple_evaluate(
            model="hf",
            model_args=f"pretrained={args.model},dtype=float32",
            tasks=[name],
            task_manager=TaskManager(include_path=temporary),
            limit=args.limit,
            batch_size=args.batch_size,
            device="cpu",
        )["results"][name]
    print(json.dumps({metric: found[f"{metric},none"] for metric in ("acc", "acc_norm")}))


if __name__ == "__main__":
    main()
