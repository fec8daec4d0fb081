#!/bin/bash
# Phase 1 on a TPU slice of one host (v5litepod-8); the same host goes on with phase 2.
#
#   experiments/cluster/tpu.sh NAME ZONE
#
# NAME: a TPU VM that `gcloud compute tpus tpu-vm create` has made, with this package and a prepared data set under
# runs/cluster/dataset in its home. TensorFlow's TPU wheel (`pip install tensorflow-tpu`) takes the place of tensorflow
# there. Not run: there is no TPU here; that a step compiles under XLA without a dynamic shape is tested
# (tests/training/test_strategy.py). A slice of several hosts is driven by one of them, through TPU_NAME.
set -euo pipefail
gcloud compute tpus tpu-vm ssh "$1" --zone="$2" --command="
  python -m clgan_tf.main --mode=train --strategy=tpu --dataset=runs/cluster/dataset --run_dir=runs/cluster/run \
      --batch_size=256 --labels=1000"
