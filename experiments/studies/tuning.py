"""What each setting of phase 1 gives, every network tried alike, scored on the validation split.

    python experiments/studies/tuning.py runs/sweeps/paper/data/iscx_all_layers runs/tuning
        [--labels=1000] [--only=WORD]

No label of the validation split is in a run's budget, and the test split is not opened. Each line is a run directory of
its own; those that are finished are not run again. Prints accuracy and macro-F1, seed 0.
"""

import argparse
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clgan_tf.common.quiet import import_tensorflow

import_tensorflow()

from clgan_tf import evaluation  # noqa: E402
from clgan_tf.common import typed_json  # noqa: E402
from clgan_tf.data.dataset import open_dataset  # noqa: E402
from clgan_tf.reporting import markdown  # noqa: E402
from clgan_tf.runs.result import RunResult  # noqa: E402
from clgan_tf.settings import TrainSettings  # noqa: E402
from clgan_tf.training.run import train  # noqa: E402

COMMON = {"unlabelled": 8000, "batch_size": 64, "pretraining_epochs": 8, "learning_rate": 5e-4}  # as in the sweeps
GANS = ("clgan", "dcgan", "bytesgan")
PRETRAINED = (*GANS, "autoencoder")


@dataclass(frozen=True)
class Variant:
    """Settings that differ from COMMON, and the networks that are tried with them."""

    networks: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)


VARIANTS = {
    "steps_1000": Variant(PRETRAINED),  # an epoch is 125 steps
    "steps_4000": Variant(PRETRAINED, {"pretraining_epochs": 32}),
    "rate_2e-4": Variant(PRETRAINED, {"learning_rate": 2e-4}),
    "rate_1e-3": Variant(PRETRAINED, {"learning_rate": 1e-3}),
    "non_saturating": Variant(GANS, {"generator_loss": "non_saturating"}),
    "supervised_3e-4": Variant(("cnn_lstm",), {"finetuning_learning_rate": 3e-4}),
    "supervised_1e-3": Variant(("cnn_lstm",), {"finetuning_learning_rate": 1e-3}),  # as in the sweeps
    "supervised_3e-3": Variant(("cnn_lstm",), {"finetuning_learning_rate": 3e-3}),
}


def run(settings: TrainSettings) -> RunResult:
    """The run's result on the validation split; trained unless it is finished, from where it was if it was begun."""
    finished = settings.run_dir / "validation.json"
    if finished.exists():
        return typed_json.read(finished, RunResult)
    dataset = open_dataset(settings.dataset)
    trained = train(replace(settings, resume=settings.run_dir.exists()), dataset)
    scores = evaluation.evaluate(trained.systems, dataset.read("validation"), dataset.facts.class_names)
    result = replace(trained.result, systems=scores)
    typed_json.write(finished, result)
    return result


def main() -> None:
    """Prints the table, a row a variant and network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--labels", type=int, default=1000)
    parser.add_argument("--only", default="", help="variants whose name begins so")
    options = parser.parse_args()
    variants = {name: variant for name, variant in VARIANTS.items() if name.startswith(options.only)}
    if not variants:
        parser.error(f"--only={options.only}: no variant begins so; there are {', '.join(VARIANTS)}")
    rows = []
    for name, variant in variants.items():
        for network in variant.networks:
            settings = TrainSettings(
                dataset=options.dataset,
                run_dir=options.directory / f"{network}_{options.labels}_{name}",
                model=network,
                labels=options.labels,
                **{**COMMON, **variant.settings},
            )
            result = run(settings)
            different = ", ".join(f"{key} {value}" for key, value in variant.settings.items())
            rows.append([name, network, different, f"{result.scores.accuracy:.1%}", f"{result.scores.f1:.1%}"])
    data = result.data
    print(f"Data {data.fingerprint[:16]}, {options.labels} labels, 8,000 sessions without, scored on", end=" ")
    print(f"{data.sizes['validation']:,} validation sessions.\n")
    print(markdown.table(["Variant", "Network", "Settings that differ", "Accuracy", "macro-F1"], rows))


if __name__ == "__main__":
    main()
