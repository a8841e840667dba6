"""Reads models and datasets of a server with huggingface_hub and datasets, as the Hub's users do.

Reads tasks from standard input, a JSON document a line, and answers each with a line of JSON:
  {"rows": id, "config": ..., "split": ..., "column": ..., "revision": ...}   texts of a streamed dataset
  {"snapshot": id}             snapshot_download of a model: the folder, with the content's SHA-256 by file name
  {"file": id, "name": ...}    hf_hub_download without a request: the path, or null where the cache lacks it
  {"tree": id, "type": ...}    path and size of every file, through the paginated API
  {"error": id}                the class of the error that model_info and a download end in
Needs: pip install huggingface_hub datasets zstandard
"""

import hashlib
import json
import os
import sys

os.environ["HF_UPDATE_DOWNLOAD_COUNTS"] = "0"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import datasets  # noqa: E402
import huggingface_hub  # noqa: E402
from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: E402


def rows(task):
    stream = datasets.load_dataset(
        task["rows"],
        task.get("config"),
        split=task.get("split", "train"),
        revision=task.get("revision"),
        streaming=True,
    )
    return [row[task.get("column", "text")] for row in stream]


def snapshot(task):
    folder = huggingface_hub.snapshot_download(task["snapshot"])
    digests = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            with open(path, "rb") as file:
                digests[os.path.relpath(path, folder)] = hashlib.sha256(file.read()).hexdigest()
    return {"folder": folder, "digests": digests}


def file(task):
    try:
        return huggingface_hub.hf_hub_download(task["file"], task["name"], local_files_only=True)
    except LocalEntryNotFoundError:
        return None


def tree(task):
    entries = huggingface_hub.HfApi().list_repo_tree(task["tree"], recursive=True, repo_type=task["type"])
    return {entry.path: entry.size for entry in entries if isinstance(entry, huggingface_hub.hf_api.RepoFile)}


def error(task):
    outcomes = []
    for action in (
        lambda: huggingface_hub.model_info(task["error"], revision=task.get("revision")),
        lambda: huggingface_hub.hf_hub_download(task["error"], "config.json", revision=task.get("revision")),
    ):
        try:
            action()
            outcomes.append(None)
        except Exception as exception:
            outcomes.append(type(exception).__name__)
    return outcomes


HANDLERS = {"rows": rows, "snapshot": snapshot, "file": file, "tree": tree, "error": error}

for line in sys.stdin:
    task = json.loads(line)
    handler = next(HANDLERS[name] for name in HANDLERS if name in task)
    print(json.dumps(handler(task)), flush=True)
