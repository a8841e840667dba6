#!/bin/bash
# GNU parallel over machines that share the output folder and can be reached by ssh, or on one machine with
# SSHLOGIN=: (the default). A run that is started again goes on with what is not done.
#
#   MODEL=... DATASET=... OUTPUT=/shared/out SSHLOGIN=node1,node2,node3,node4 SHARDS=4 ./parallel.sh
set -euo pipefail
: "${SHARDS:=4}" "${LAYERS_TO_SKIP:=8}" "${SSHLOGIN:=:}"

mkdir -p "$OUTPUT"
# --quote: a path may hold spaces
seq "$SHARDS" | parallel --quote --jobs 1 --sshlogin "$SSHLOGIN" --retries 3 --joblog "$OUTPUT/parallel.log" --resume-failed \
  layerprune similarity --model "$MODEL" --dataset "$DATASET" --layers-to-skip "$LAYERS_TO_SKIP" \
  --shard "{}/$SHARDS" --resume --output "$OUTPUT"
layerprune merge "$OUTPUT"/similarity.shard-*-of-"$SHARDS".json -o "$OUTPUT"
