#!/bin/bash
# A Slurm array: one task per shard, each on a machine of its own. The output folder is on a file system they share.
#
#   export MODEL=... DATASET=... OUTPUT=...
#   job=$(sbatch --parsable slurm.sh)
#   sbatch --dependency="afterok:$job" --wrap 'layerprune merge "$OUTPUT"/similarity.shard-*.json -o "$OUTPUT"'
#
#SBATCH --job-name=layerprune
#SBATCH --array=1-8
#SBATCH --cpus-per-task=16
#SBATCH --mem=32G
#SBATCH --time=04:00:00
#SBATCH --requeue
set -euo pipefail

# a requeued task continues from its checkpoint
exec layerprune similarity --model "$MODEL" --dataset "$DATASET" --layers-to-skip "${LAYERS_TO_SKIP:-8}" \
  --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --threads "$SLURM_CPUS_PER_TASK" \
  --resume --output "$OUTPUT"
