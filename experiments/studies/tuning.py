"""What each setting of phase 1 gives, every network tried alike, on sessions held out of a training split.

    python experiments/studies/tuning_split.py runs/sweeps/iscx/data/iscx_all_layers runs/tuning/iscx_all_layers
    python experiments/studies/tuning.py runs/tuning/iscx_all_layers runs/tuning/runs_iscx [--labels=1000] [--only=WORD]

What is called test here are training sessions of the published split: its own test split is not opened. Each line
is a run directory of its own; those that are finished are not run again. Prints accuracy and macro-F1, seed 0.
"""

import argparse
import contextlib
import sys
from pathlib import Path

from absl import flags as absl_flags

from clgan_tf import commands, config
from clgan_tf.run_directory import RunDirectory, read_metrics

COMMON = ["--unlabelled=8000", "--batch_size=64"]  # an epoch is 125 steps
GANS = ("clgan", "dcgan", "bytesgan")
PRETRAINED = (*GANS, "autoencoder")

IN_SWEEPS = ["--pretraining_epochs=8", "--learning_rate=5e-4"]
VARIANTS = {  # name -> which networks, flags
    "steps_1000": (PRETRAINED, IN_SWEEPS),
    "steps_4000": (PRETRAINED, ["--pretraining_epochs=32", "--learning_rate=5e-4"]),
    "rate_2e-4": (PRETRAINED, ["--pretraining_epochs=8", "--learning_rate=2e-4"]),
    "rate_1e-3": (PRETRAINED, ["--pretraining_epochs=8", "--learning_rate=1e-3"]),
    "non_saturating": (GANS, [*IN_SWEEPS, "--generator_loss=non_saturating"]),
    "supervised_3e-4": (("cnn_lstm",), ["--finetuning_learning_rate=3e-4"]),
    "supervised_1e-3": (("cnn_lstm",), ["--finetuning_learning_rate=1e-3"]),  # as in the sweeps
    "supervised_3e-3": (("cnn_lstm",), ["--finetuning_learning_rate=3e-3"]),
}


def run(dataset: Path, directory: Path, model: str, flags: list[str]) -> dict:
    """The run's metrics; trained unless it is finished, from where it was if it was begun."""
    found = RunDirectory(directory)
    if not found.metrics.exists():
        values = absl_flags.FlagValues()
        config.define_flags(values)
        given = [*COMMON, *flags, f"--model={model}", f"--dataset={dataset}", f"--run_dir={directory}"]
        config.parse(values, [*given, *(["--resume"] if found.flagfile.exists() else [])])
        with contextlib.redirect_stdout(sys.stderr):  # The table below is what this prints.
            commands.run_train(config.train_config(values), None, config.resolved_flagfile(directory, values))
    return read_metrics(found.metrics)


def main() -> None:
    """Prints the table, a row a variant and network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--labels", type=int, default=1000)
    parser.add_argument("--only", default="", help="variants whose name begins so")
    options = parser.parse_args()
    if not any(name.startswith(options.only) for name in VARIANTS):
        parser.error(f"--only={options.only}: no variant begins so; there are {', '.join(VARIANTS)}")
    lines = []
    for name, (models, flags) in VARIANTS.items():
        for model in models if name.startswith(options.only) else ():
            where = options.directory / f"{model}_{options.labels}_{name}"
            metrics = run(options.dataset, where, model, [*flags, f"--labels={options.labels}"])
            score = metrics["systems"][model]
            figures = f"{100 * score['accuracy']:.1f} | {100 * score['f1']:.1f}"
            lines.append(f"| {name} | {model} | {' '.join(flags)} | {figures} |")
    fingerprint, count = metrics["data"]["fingerprint"][:16], metrics["data"]["sizes"]["test"]
    print(
        f"\nData {fingerprint}, {options.labels} labelled, 8,000 unlabelled, scored on {count:,} training sessions.\n"
    )
    print("| Variant | Network | Flags | Accuracy | macro-F1 |\n|---|---|---|---|---|")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
