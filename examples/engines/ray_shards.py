"""Shards on a Ray cluster whose nodes have layerprune installed and share the output folder.

    python ray_shards.py --shards 8 --output /shared/out --model M --dataset texts.parquet --layers-to-skip 8

All flags but the first two and --cpus go to layerprune similarity as they are. A task whose node is lost runs
again elsewhere and continues from its checkpoint.
"""

import argparse
import subprocess
from pathlib import Path

import ray


@ray.remote(max_retries=3)
def measure(shard: int, shards: int, threads: int, output: str, flags: list[str]) -> str:
    part = ["--shard", f"{shard}/{shards}", "--threads", str(threads), "--resume", "--output", output]
    subprocess.run(["layerprune", "similarity", *flags, *part], check=True)
    return str(Path(output) / f"similarity.shard-{shard}-of-{shards}.json")


parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("--shards", type=int, required=True)
parser.add_argument("--output", required=True)
parser.add_argument("--cpus", type=int, help="CPUs per task (default: 8, or those of the smallest node if fewer)")
options, flags = parser.parse_known_args()

ray.init()
# a task that asks for more CPUs than any node has would wait for ever
nodes = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
cpus = options.cpus or min(8, *(count for count in nodes if count > 0))
if cpus > max(nodes):
    parser.error(f"--cpus {cpus}: the largest node has {max(nodes)}")
task = measure.options(num_cpus=cpus)
output = str(Path(options.output).resolve())
tasks = [task.remote(i, options.shards, cpus, output, flags) for i in range(1, options.shards + 1)]
subprocess.run(["layerprune", "merge", *ray.get(tasks), "-o", output], check=True)
