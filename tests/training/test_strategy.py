"""Phase 1 on several devices, in one process and in several, against one device; and as XLA compiles it for a TPU."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from clgan_tf import models
from clgan_tf.common.errors import ConfigError
from clgan_tf.runs.log import read_log
from clgan_tf.training import strategy as strategies
from tests.conftest import train_flags

STEPS = """
import sys
from clgan_tf.common.quiet import import_tensorflow
import_tensorflow()
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
if sys.argv[1] == "multi_worker":
    from clgan_tf.training.strategy import is_chief, strategy_of
    strategies = {"multi_worker": strategy_of("multi_worker")}
    print("chief" if is_chief("multi_worker") else "worker")
else:
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategies = {"one": tf.distribute.get_strategy(), "mirrored": tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])}
from clgan_tf import models
from clgan_tf.data.pipeline import distributed
rng = np.random.default_rng(0)
images = lambda: rng.integers(0, 256, (160, 28, 28, 1), np.uint8)
data = {"labelled": images(), "labels": rng.integers(0, 3, 160), "unlabelled": images()}
stream = tf.data.Dataset.from_tensor_slices(data).batch(8, drop_remainder=True).repeat()
for name, strategy in strategies.items():
    with strategy.scope():
        keras.utils.set_random_seed(1)
        model = models.build("clgan", 3, dropout=0.0)
        # Not Adam, which makes full steps of rounding errors where a gradient is next to nothing.
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
        begun = [variable.numpy() for variable in model.network.variables + model.partner.variables]
    model.fit(distributed(stream, strategy), steps_per_epoch=20, verbose=0, shuffle=False)
    variables = model.network.variables + model.partner.variables
    np.savez(sys.argv[2] + "begun", *begun)
    np.savez(sys.argv[2] + name, *(variable.numpy() for variable in variables))
"""


def two_workers(arguments: list[str]) -> list[tuple[int, str, str]]:
    """The same command as both workers of a cluster on this machine: exit status, output and errors of each."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    hosts = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    processes = [
        subprocess.Popen(
            [sys.executable, *arguments],
            env={**os.environ, "TF_CONFIG": json.dumps({"cluster": {"worker": hosts}, "task": task})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for task in ({"type": "worker", "index": index} for index in range(2))
    ]
    return [(process.returncode, *texts) for process in processes for texts in [process.communicate(timeout=300)]]


def furthest(one: str, other: str) -> float:
    with np.load(one) as first, np.load(other) as second:
        assert first.files == second.files
        return max(float(np.abs(first[name].astype(float) - second[name]).max()) for name in first.files)


def test_two_devices_and_two_workers_end_where_one_does(tmp_path):
    script = tmp_path / "steps.py"
    script.write_text(STEPS)
    subprocess.run([sys.executable, script, "here", f"{tmp_path}/"], check=True, capture_output=True)
    done = two_workers([str(script), "multi_worker", f"{tmp_path}/"])
    assert [status for status, *_ in done] == [0, 0], done
    assert sorted(text.strip() for _, text, _ in done) == ["chief", "worker"]
    assert furthest(f"{tmp_path}/begun.npz", f"{tmp_path}/one.npz") > 1e-2
    # After 20 steps; what is left is the order in which numbers are added.
    for other in ("mirrored", "multi_worker"):
        assert furthest(f"{tmp_path}/one.npz", f"{tmp_path}/{other}.npz") < 1e-4


def test_a_run_on_two_workers_is_one_run_that_the_first_writes(prepared, tmp_path):
    run = tmp_path / "run"
    short = ("--model=dcgan", "--pretraining_epochs=1", "--finetuning_epochs=1", "--strategy=multi_worker")
    first, second = two_workers(["-m", "clgan_tf.main", *train_flags(prepared, run, *short)])
    assert (first[0], second[0]) == (0, 0), (first, second)
    assert f"Classifier: {run / 'classifier.keras'}" in first[1]
    assert second[1] == "Phase 1 is over; the first worker goes on alone.\n"
    assert [(epoch.phase, epoch.epoch) for epoch in read_log(run / "metrics.jsonl")] == [
        ("pretraining", 1),
        ("finetuning", 1),
    ]
    assert {path.name for path in tmp_path.iterdir()} == {"run"}


@pytest.mark.parametrize("name", ["clgan", "clgan_plus"])
def test_a_step_is_compiled_by_xla_with_no_dynamic_shape(name):
    images = tf.zeros((8, 28, 28, 1), tf.uint8)
    small = {"width": 16} if name == models.PLUS else {}
    model = models.build(name, 3, **small)
    model.compile()
    batch = (
        images if name == models.PLUS else {"labelled": images, "labels": tf.zeros(8, tf.int64), "unlabelled": images}
    )
    step = tf.function(model.train_step, jit_compile=True)
    lowered = step.experimental_get_compiler_ir(batch)(stage="hlo")
    assert "ENTRY" in lowered
    assert "<=" not in lowered  # so HLO writes a dimension that is not known


def test_what_cannot_be_cut_into_equal_parts_or_is_not_there_is_refused(monkeypatch):
    class Three:
        num_replicas_in_sync = 3

    strategies.require_parts("one", 7)
    with pytest.raises(ConfigError, match="--batch_size=7 must be a multiple of 2 with --strategy=one"):
        strategies.require_parts("one", 7, of_each=2)
    with pytest.raises(ConfigError, match="--strategy=tpu cannot be used here: "):
        strategies.strategy_of("tpu")
    monkeypatch.setattr(strategies, "strategy_of", lambda _: Three())
    with pytest.raises(ConfigError, match="--batch_size=64 must be a multiple of 6 with --strategy=mirrored"):
        strategies.require_parts("mirrored", 64, of_each=2)
