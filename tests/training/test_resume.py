"""Exact resumption: after Ctrl-C, after kill -9, from damaged states, and from phase 1's weights alone."""

import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import keras
import numpy as np
import pytest

from clgan_tf import models
from clgan_tf.common import typed_json
from clgan_tf.common.errors import DataError, ModelFileError
from clgan_tf.main import main
from clgan_tf.models.discriminator import build_discriminator
from clgan_tf.runs.log import PRETRAINING, Epoch, keep_pretraining, read_log
from clgan_tf.training import checkpoint
from tests.conftest import train_flags


def test_phase_2_starts_from_the_saved_weights_alone(finished_run, prepared, tmp_path):
    """Without the state of phase 1 a resumed run fine-tunes what the weight files hold."""
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    for name in ("metrics.json", "checkpoints/state.npz", "checkpoints/state_before.npz"):
        (run / name).unlink()
    before = read_log(run / "metrics.jsonl")
    flags = train_flags(prepared, run, "--baselines=supervised,random_forest", "--resume")
    assert main(flags) == 0
    after = read_log(run / "metrics.jsonl")
    assert [(epoch.phase, epoch.epoch) for epoch in after] == [(epoch.phase, epoch.epoch) for epoch in before]
    first, again = (next(epoch for epoch in log if epoch.phase == "finetuning") for log in (before, after))
    # Dropout starts from another seed, so the steps differ a little; the weights they start from do not.
    assert again.values["loss"] == pytest.approx(first.values["loss"], rel=0.2)
    (run / "metrics.json").unlink()
    (run / "checkpoints/discriminator.weights.h5").write_bytes(b"no weights")
    assert main(flags) == 1


def test_the_weight_files_are_the_state_after_phase_1(finished_run):
    discriminator = build_discriminator(12)
    discriminator.load_weights(finished_run / "checkpoints/discriminator.weights.h5")
    state = models.build("clgan", 12)
    state.compile()
    assert checkpoint.restore(finished_run / "checkpoints/state.npz", state) == 2
    for one, other in zip(discriminator.get_weights(), state.discriminator.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_torn_log_does_not_stop_a_report_or_a_resumption(tmp_path):
    path = tmp_path / "metrics.jsonl"
    epochs = [
        Epoch(phase, number, {"loss": 0.5 / number}) for phase in (PRETRAINING, "finetuning") for number in (1, 2)
    ]
    lines = [typed_json.line(epoch) for epoch in epochs]
    path.write_text("".join(lines) + lines[0][:-9])
    assert read_log(path) == epochs
    keep_pretraining(path)
    assert read_log(path) == epochs[:2]
    keep_pretraining(path, 1)
    assert path.read_text() == lines[0]
    path.write_text(lines[0] + '{"phase": 1}\n' + lines[1])
    with pytest.raises(DataError, match=r"metrics.jsonl, line 2: .*phase.*train the run anew"):
        read_log(path)


def weights(run_dir) -> list[np.ndarray]:
    return keras.saving.load_model(run_dir / "classifier.keras", safe_mode=True).get_weights()


@pytest.mark.parametrize("moment", ["in phase 1", "in phase 2"])
def test_ctrl_c_then_resume_gives_the_weights_of_an_uninterrupted_run(finished_run, prepared, tmp_path, moment):
    stopped = tmp_path / "stopped"
    flags = train_flags(prepared, stopped)  # Baselines come after what is compared.
    process = subprocess.Popen(
        [sys.executable, "-m", "clgan_tf.main", *flags],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # A shell starts background jobs, this suite perhaps among them, with Ctrl-C ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    checkpoints = stopped / "checkpoints"
    awaited = checkpoints / ("state.npz" if moment == "in phase 1" else "discriminator.weights.h5")
    deadline = time.monotonic() + 120
    while not awaited.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "--resume" in errors
    assert "Traceback" not in errors
    assert not (stopped / "metrics.json").exists()
    assert main(flags) == 2  # never overwritten
    assert main(["train", "--resume", f"--run_dir={stopped}"]) == 0  # It knows its other flags.
    for one, other in zip(weights(finished_run), weights(stopped), strict=True):
        np.testing.assert_array_equal(one, other)
    logs = [(run / "metrics.jsonl").read_text().splitlines() for run in (finished_run, stopped)]
    assert [line for line in logs[0] if '"supervised"' not in line] == logs[1]


def test_killed_at_any_moment_and_started_again_it_ends_with_the_same_weights_and_log(finished_run, prepared, tmp_path):
    killed, generator = tmp_path / "killed", np.random.default_rng(0)
    flags = train_flags(prepared, killed)
    command = [sys.executable, "-m", "clgan_tf.main"]
    log = killed / "metrics.jsonl"
    for _ in range(3):
        again = ["train", "--resume", f"--run_dir={killed}"] if (killed / "config.json").exists() else flags
        process = subprocess.Popen([*command, *again], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        lines, deadline = len(read_log(log)), time.monotonic() + 120
        while len(read_log(log)) == lines and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(generator.uniform(0, 1.5))  # in a step, while a state or weights are written, between phases
        process.kill()
        process.wait()
    assert main(["train", "--resume", f"--run_dir={killed}"]) == 0
    for one, other in zip(weights(finished_run), weights(killed), strict=True):
        np.testing.assert_array_equal(one, other)
    expected = [epoch for epoch in read_log(finished_run / "metrics.jsonl") if epoch.phase != "supervised"]
    assert read_log(log) == expected
    assert not [path for path in killed.rglob("*") if "partial" in path.name]


def test_of_a_damaged_state_the_one_before_is_used_with_a_warning(finished_run, prepared, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    checkpoints = run / "checkpoints"
    for path in (run / "metrics.json", run / "classifier.keras", *checkpoints.glob("*.h5")):
        path.unlink()
    whole = (checkpoints / "state.npz").read_bytes()
    (checkpoints / "state.npz").write_bytes(whole[: len(whole) // 2])
    both = ["--baselines=supervised,random_forest", "--resume"]
    assert main(train_flags(prepared, run, *both)) == 0
    told = capsys.readouterr().err
    assert re.search(r"Warning: \S+/state.npz: .*; the state before it is used\.", told)
    for one, other in zip(weights(finished_run), weights(run), strict=True):
        np.testing.assert_array_equal(one, other)
    (run / "metrics.json").unlink()
    for path in (*checkpoints.glob("*.npz"), *checkpoints.glob("*.h5")):
        path.write_bytes(b"no archive")
    assert main(train_flags(prepared, run, *both)) == 1
    assert "state_before.npz: not what this model needs" in capsys.readouterr().err


def test_resume_refuses_other_flags_a_finished_run_and_no_run(finished_run, prepared, tmp_path, capsys):
    both = "--baselines=supervised,random_forest"
    before = (finished_run / "metrics.json").read_bytes()
    assert main(train_flags(prepared, finished_run, both, "--resume", "--overwrite")) == 0
    assert "is finished" in capsys.readouterr().out
    assert (finished_run / "metrics.json").read_bytes() == before
    unfinished = tmp_path / "unfinished"
    shutil.copytree(finished_run, unfinished)
    (unfinished / "metrics.json").unlink()
    assert main(train_flags(prepared, unfinished, both, "--resume", "--seed=5")) == 2
    assert "the run has --seed=0, not 5" in capsys.readouterr().err
    assert (unfinished / "metrics.jsonl").read_bytes() == (finished_run / "metrics.jsonl").read_bytes()
    data = (unfinished / "data.json").read_text()
    (unfinished / "data.json").write_text(data.replace(prepared.facts.fingerprint, "0" * 64))
    assert main(train_flags(prepared, unfinished, both, "--resume")) == 1
    assert "is not the data set of" in capsys.readouterr().err
    assert (unfinished / "metrics.jsonl").read_bytes() == (finished_run / "metrics.jsonl").read_bytes()
    (unfinished / "data.json").write_text(data)
    (unfinished / "config.json").write_text("[]")
    assert main(train_flags(prepared, unfinished, both, "--resume")) == 1
    assert "config.json: not what clgan_tf writes there" in capsys.readouterr().err
    assert main(train_flags(prepared, tmp_path / "none", "--resume")) == 2
    assert "start the run without --resume" in capsys.readouterr().err


def compiled():
    model = models.build("clgan", 3)
    model.compile()
    return model


def test_state_round_trip_leaves_nothing_out(tmp_path):
    model = compiled()
    rng = np.random.default_rng(0)
    for variable in [*model.optimizer.variables, *model.partner_optimizer.variables]:
        variable.assign(rng.integers(1, 9, variable.shape))
    model.discriminator.get_layer("dropout").seed_generator.state.assign([3, 4])
    checkpoint.save(tmp_path / "state.npz", model, 5)
    other = compiled()
    assert checkpoint.restore(tmp_path / "state.npz", other) == 5
    assert np.array(other.discriminator.get_layer("dropout").seed_generator.state).tolist() == [3, 4]
    for one, two in ((model.optimizer, other.optimizer), (model.partner_optimizer, other.partner_optimizer)):
        for a, b in zip(one.variables, two.variables, strict=True):
            np.testing.assert_array_equal(np.array(a), np.array(b))


@pytest.mark.parametrize("damage", ["garbage", "other_model", "pickle", "bomb"])
def test_a_training_state_that_is_not_ours(tmp_path, damage):
    path = tmp_path / "state.npz"
    if damage == "garbage":
        path.write_bytes(b"no archive")
    elif damage == "other_model":
        model = models.build("clgan", 4)
        model.compile()
        checkpoint.save(path, model, 1)
    else:
        checkpoint.save(path, compiled(), 1)
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        if damage == "pickle":
            np.save(tmp_path / "object.npy", np.array([{}], dtype=object), allow_pickle=True)
            members["partner-0.npy"] = (tmp_path / "object.npy").read_bytes()
        else:
            members["partner-1.npy"] = bytes(50 << 20)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
    with pytest.raises(ModelFileError, match=r"start the run anew|this model"):
        checkpoint.restore(path, compiled())
