"""Shards on a Ray cluster whose nodes have layerprune installed and share the output folder.

    python ray_shards.py --shards 8 --output /shared/out --model M --dataset texts.parquet --layers-to-skip 8

All flags but the first two go to layerprune similarity as they are. A task whose node is lost runs again
elsewhere and continues from its checkpoint.
"""

import argparse
import subprocess
from pathlib import Path

import ray


@ray.remote(num_cpus=8, max_retries=3)
def measure(shard: int, shards: int, output: str, flags: list[str]) -> str:
    part = ["--shard", f"{shard}/{shards}", "--resume", "--output", output]
    subprocess.run(["layerprune", "similarity", *flags, *part], check=True)
    return str(Path(output) / f"similarity.shard-{shard}-of-{shards}.json")


parser = argparse.ArgumentParser()
parser.add_argument("--shards", type=int, required=True)
parser.add_argument("--output", required=True)
options, flags = parser.parse_known_args()

ray.init()
tasks = [measure.remote(i, options.shards, options.output, flags) for i in range(1, options.shards + 1)]
subprocess.run(["layerprune", "merge", *ray.get(tasks), "-o", options.output], check=True)
