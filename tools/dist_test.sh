#!/usr/bin/env bash
# Evaluate on the GPUs of one or more machines: tools/dist_test.sh CONFIG CHECKPOINT GPUS [flags of test.py]
# Several machines: run it on each with NNODES, NODE_RANK, MASTER_ADDR and PORT set. Without a GPU it runs GPUS processes.
set -euo pipefail

CONFIG=$1
CHECKPOINT=$2
GPUS=$3
TOOLS=$(cd "$(dirname "$0")" && pwd)

PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}" \
python -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node-rank="${NODE_RANK:-0}" \
    --master-addr="${MASTER_ADDR:-127.0.0.1}" \
    --master-port="${PORT:-29500}" \
    --nproc-per-node="$GPUS" \
    "$TOOLS/test.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "${@:4}"
