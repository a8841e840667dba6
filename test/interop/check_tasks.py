"""Runs tasks of lm-evaluation-harness on local documents, and prints what it measured of each document.

Usage: check_tasks.py MODEL DATA LIMIT TASK[:EXAMPLES]...
DATA/TASK holds a JSON Lines file for each split; of mmlu they stand for its subject anatomy. Of the second document
what is asked is printed too.
"""

import json
import logging
import sys
import tempfile
from pathlib import Path

import lm_eval
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

SOURCES = {
    "arc_challenge": "arc/arc_challenge.yaml",
    "arc_easy": "arc/arc_easy.yaml",
    "boolq": "super_glue/boolq/default.yaml",
    "hellaswag": "hellaswag/hellaswag.yaml",
    "lambada_openai": "lambada/lambada_openai.yaml",
    "mmlu": "mmlu/default/mmlu_anatomy.yaml",
    "openbookqa": "openbookqa/openbookqa.yaml",
    "piqa": "piqa/piqa.yaml",
    "truthfulqa_mc1": "truthfulqa/truthfulqa_mc1.yaml",
    "winogrande": "winogrande/default.yaml",
}


def write_task(folder, data, name):
    """A task of the harness whose documents are local files."""
    source = Path(lm_eval.__file__).parent / "tasks" / SOURCES[name]
    files = {path.stem: str(path) for path in sorted((data / name).glob("*.jsonl"))}
    lines = [
        f"include: {source}",
        f"task: local_{name}",
        "dataset_path: json",
        "dataset_name: null",
        "tag: local",
        f"dataset_kwargs: {json.dumps({'data_files': files})}",
    ]
    (folder / f"{name}.yaml").write_text("\n".join(lines) + "\n")


def main():
    model, data, limit, *asked = sys.argv[1:]
    logging.disable(logging.WARNING)
    counts = dict(task.split(":") if ":" in task else (task, None) for task in asked)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in counts:
            write_task(folder, Path(data), name)
        manager = TaskManager(include_path=str(folder), include_defaults=False)
        lm = HFLM(pretrained=model, dtype="float32", device="cpu", batch_size=8)
        for name, examples in counts.items():
            results = lm_eval.simple_evaluate(
                model=lm,
                tasks=[f"local_{name}"],
                task_manager=manager,
                num_fewshot=None if examples is None else int(examples),
                limit=int(limit),
                bootstrap_iters=2,
            )
            figures = results["results"][f"local_{name}"]
            print(json.dumps({"task": name, "figures": figures}))
            for sample in results["samples"][f"local_{name}"]:
                print(json.dumps({
                    "task": name,
                    "document": sample["doc_id"],
                    "prompt": sample["arguments"] if sample["doc_id"] == 1 else None,
                    "logLikelihoods": [response[0][0] for response in sample["resps"]],
                    "metrics": {key: sample[key] for key in ("acc", "acc_norm", "perplexity") if key in sample},
                }))


main()
