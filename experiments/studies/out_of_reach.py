"""What would lift the published CLGAN to the paper's accuracy: one change at a time, table 1's row at 10 %.

    python experiments/studies/out_of_reach.py runs/sweeps/paper/data/iscx_all_layers SOURCE runs/out_of_reach RESULTS
        [--only=WORD]

SOURCE: the published folder, iscx_vpn_nonvpn_2016. RESULTS: a file that gets a JSON line a variant; what it has is not
run again, and a variant that was interrupted in phase 1 goes on. Prints the table of all lines. ISCX VPN-nonVPN 2016,
all_layers, seed 0; settings as in experiments/sweeps/paper.toml. Scored on sessions held out of the training part (the
validation split); the published test part is not opened. 10 minutes a variant on one core, 20 times that for the last.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from clgan_tf.common.quiet import import_tensorflow

import_tensorflow()

import numpy as np  # noqa: E402

from clgan_tf.common import typed_json  # noqa: E402
from clgan_tf.data import pipeline  # noqa: E402
from clgan_tf.data.dataset import Dataset, open_dataset  # noqa: E402
from clgan_tf.data.examples import Examples  # noqa: E402
from clgan_tf.data.few_labels import FewLabels, LabelFacts, few_labels, in_memory  # noqa: E402
from clgan_tf.data.published import sources_below  # noqa: E402
from clgan_tf.data.sources import read_published  # noqa: E402
from clgan_tf.evaluation.metrics import score  # noqa: E402
from clgan_tf.reporting import markdown  # noqa: E402
from clgan_tf.runs.directory import RunDirectory  # noqa: E402
from clgan_tf.runs.environment import environment  # noqa: E402
from clgan_tf.settings import TrainSettings  # noqa: E402
from clgan_tf.training import phases  # noqa: E402

SHARE = 0.1
PAPER = 94.22  # table 1, 10 % labelled
GLOBAL_HEADER = (4, 2, 2, 4, 4, 4, 4)  # bytes of the fields of a pcap file's header
RECORD_HEADER = (4, 4, 4, 4)  # and of each packet's; the third is the number of bytes that follow


@dataclass(frozen=True)
class Task:
    """What a variant trains on, what it is scored on, and for how long it trains."""

    few: FewLabels
    scored: Examples
    settings: TrainSettings


@dataclass(frozen=True)
class Line:
    """A line of RESULTS; accuracy and macro-F1 in [0, 1]."""

    variant: str
    accuracy: float
    f1: float
    labels: int
    unlabelled: int
    scored: int
    fingerprint: str
    commit: str | None


def as_it_is(dataset: Dataset, settings: TrainSettings, source: Path) -> Task:
    """The row as the sweep has it, scored on the validation split."""
    few = few_labels(dataset, SHARE, "fraction", 0, settings.seed)
    return Task(few, dataset.read("validation"), settings)


def duplicates_left_in(dataset: Dataset, settings: TrainSettings, source: Path) -> Task:
    """The published training part as it is, duplicates and all, cut at random into as many parts of these sizes."""
    published = [
        read_published(one)[0]
        for one in sources_below(source, "iscx_vpn_nonvpn_2016", "all_layers").sources
        if not one.is_test
    ]
    whole = Examples.concatenate(published)
    whole = whole[np.random.default_rng(settings.seed).permutation(len(whole))]
    held_out = len(whole) // 10
    scored, rest = whole[np.arange(held_out)], whole[np.arange(held_out, len(whole))]
    labelled = round(SHARE * len(rest))
    return Task(_few(rest, np.arange(len(rest)) < labelled), scored, settings)


def scored_sessions_among_the_unlabelled(dataset: Dataset, settings: TrainSettings, source: Path) -> Task:
    """Transductive: the GAN sees the scored sessions, without their labels."""
    task = as_it_is(dataset, settings, source)
    pool = np.concatenate([_unlabelled_images(task.few), task.scored.images])
    return replace(task, few=replace(task.few, unlabelled=in_memory(pool)))


def best_epoch_on_the_scored(dataset: Dataset, settings: TrainSettings, source: Path) -> Task:
    """Phase 2 keeps the epoch that is best on the scored sessions themselves, and learns from the whole budget."""
    task = as_it_is(dataset, settings, source)
    return replace(task, few=replace(task.few, labelled=task.few.whole_budget, validation=task.scored))


def classes_alike(dataset: Dataset, settings: TrainSettings, source: Path) -> Task:
    """As many labels in all, as evenly over the classes as they go."""
    total = round(SHARE * dataset.facts.sizes["train"])
    sizes = np.array(list(dataset.facts.class_sizes["train"].values()))
    of_each = next(count for count in range(1, total) if np.minimum(sizes, count).sum() >= total)
    few = few_labels(dataset, of_each, "per_class_at_most", 0, settings.seed)
    return Task(few, dataset.read("validation"), settings)


def pixels_from_zero(dataset: Dataset, settings: TrainSettings, source: Path) -> Task:
    """Bytes / 255 in [0, 1] in place of [-1, 1]; their last bit is lost."""
    return _with_images(as_it_is(dataset, settings, source), lambda images: 128 + images // 2)


def headers_little_endian(dataset: Dataset, settings: TrainSettings, source: Path) -> Task:
    """The capture's own headers as most tools write them; the published images have them big-endian."""
    return _with_images(as_it_is(dataset, settings, source), other_byte_order)


def all_leaks_at_once(dataset: Dataset, settings: TrainSettings, source: Path) -> Task:
    """Duplicates left in, the scored sessions among the unlabelled, and the best epoch on them."""
    task = duplicates_left_in(dataset, settings, source)
    pool = np.concatenate([task.few.unlabelled.sample.images, task.scored.images])  # type: ignore[union-attr]
    few = replace(task.few, labelled=task.few.whole_budget, validation=task.scored, unlabelled=in_memory(pool))
    return replace(task, few=few)


def twenty_times_the_epochs(dataset: Dataset, settings: TrainSettings, source: Path) -> Task:
    """Of phase 1."""
    task = as_it_is(dataset, settings, source)
    return replace(task, settings=replace(settings, pretraining_epochs=20 * settings.pretraining_epochs))


VARIANTS: dict[str, Callable[[Dataset, TrainSettings, Path], Task]] = {
    "as the sweep has it": as_it_is,
    "duplicates left in, parts cut at random": duplicates_left_in,
    "best epoch chosen on the scored sessions": best_epoch_on_the_scored,
    "scored sessions among the unlabelled": scored_sessions_among_the_unlabelled,
    "the three of them at once": all_leaks_at_once,
    "bytes / 255": pixels_from_zero,
    "capture headers little-endian": headers_little_endian,
    "labels spread evenly over classes": classes_alike,
    "20 times the epochs of phase 1": twenty_times_the_epochs,
}


def other_byte_order(images: np.ndarray) -> np.ndarray:
    """Images [n, 28, 28, 1] uint8 of captures in pcap's big-endian form, their headers written little-endian."""
    rows = images.reshape(len(images), -1).copy()
    for row in rows:
        place = 0
        for width in GLOBAL_HEADER:
            row[place : place + width] = row[place : place + width][::-1]
            place += width
        while place + sum(RECORD_HEADER) <= len(row):
            length = int.from_bytes(row[place + 8 : place + 12].tobytes(), "big")
            for width in RECORD_HEADER:
                row[place : place + width] = row[place : place + width][::-1]
                place += width
            if not length:  # The image was filled with zeros.
                break
            place += length
    return rows.reshape(images.shape)


def _few(train: Examples, shown: np.ndarray) -> FewLabels:
    """A budget of the sessions `shown`, bool [n], every fifth of them for early stopping; all others unlabelled."""
    budget, others = train[shown], train[~shown]
    for_stopping = np.arange(len(budget)) % 5 == 4
    facts = LabelFacts(SHARE, "fraction", len(budget), int(for_stopping.sum()), len(others), fingerprint="")
    return FewLabels(budget[~for_stopping], budget[for_stopping], in_memory(others.images), facts)


def _unlabelled_images(few: FewLabels) -> np.ndarray:
    return pipeline.sample(few.unlabelled, few.unlabelled.count, 0)


def _with_images(task: Task, changed: Callable[[np.ndarray], np.ndarray]) -> Task:
    few, pool = task.few, changed(_unlabelled_images(task.few))
    labelled, validation, scored = (
        replace(examples, images=changed(examples.images)) for examples in (few.labelled, few.validation, task.scored)
    )
    return replace(
        task, few=replace(few, labelled=labelled, validation=validation, unlabelled=in_memory(pool)), scored=scored
    )


def run(name: str, dataset: Dataset, source: Path, directory: Path) -> Line:
    """Trains one variant and scores it."""
    run = RunDirectory(directory / name.replace(" ", "_").replace("/", "of").replace(",", ""))
    settings = TrainSettings(
        dataset=dataset.directory,
        run_dir=run.path,
        model="clgan",
        labels=SHARE,
        labels_unit="fraction",
        batch_size=64,
        learning_rate=5e-4,
        pretraining_epochs=2,
        finetuning_epochs=60,
        patience=10,
    )
    task = VARIANTS[name](dataset, settings, source)
    run.state.parent.mkdir(parents=True, exist_ok=True)
    model = phases.build_model(task.settings, len(dataset.facts.class_names))
    phases.pretrain(model, task.settings, task.few, run)
    network = model.classifier()
    phases.finetune(network, task.settings, task.few, run)
    predicted = np.argmax(network.predict(task.scored.images, batch_size=1024, verbose=0), axis=1)
    scores = score(task.scored.labels, predicted, dataset.facts.class_names)
    return Line(
        variant=name,
        accuracy=scores.accuracy,
        f1=scores.f1,
        labels=len(task.few.labelled),
        unlabelled=task.few.unlabelled.count,
        scored=len(task.scored),
        fingerprint=dataset.facts.fingerprint,
        commit=environment().commit,
    )


def table(lines: list[Line]) -> str:
    """How much of the gap to the paper's figure each variant closes."""
    base = 100 * lines[0].accuracy
    rows = []
    for line in lines:
        accuracy = 100 * line.accuracy
        closed = f"{(accuracy - base) / (PAPER - base):.0%}" if line is not lines[0] else ""
        counts = (f"{count:,}" for count in (line.labels, line.unlabelled, line.scored))
        rows.append([line.variant, *counts, f"{accuracy:.1f}", f"{100 * line.f1:.1f}", closed])
    columns = ["Variant", "Labels to learn from", "Unlabelled", "Scored", "Accuracy", "macro-F1", "Of the gap closed"]
    return markdown.table(columns, rows)


def main() -> None:
    """Runs what is not there and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("source", type=Path)
    parser.add_argument("directory", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--only", default="", help="variants whose name begins so")
    options = parser.parse_args()
    dataset = open_dataset(options.dataset)
    there = typed_json.read_lines(options.results, Line) if options.results.exists() else []
    lines = {line.variant: line for line in there}
    for name in VARIANTS:
        if name.startswith(options.only) and name not in lines:
            lines[name] = run(name, dataset, options.source, options.directory)
            typed_json.write_lines(options.results, lines.values())
    print(f"Data {dataset.facts.fingerprint[:16]}, seed 0; the paper's figure is {PAPER} %.\n")
    print(table([lines[name] for name in VARIANTS if name in lines]))


if __name__ == "__main__":
    main()
