"""The paper's tables and figures from rows of sweeps."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from clgan_tf.capture import SessionRules
from clgan_tf.common import typed_json
from clgan_tf.common.errors import DataError
from clgan_tf.data import recipe
from clgan_tf.data.description import DataFacts, Split, SplitRule
from clgan_tf.data.few_labels import LabelFacts
from clgan_tf.main import main
from clgan_tf.reporting import paper
from clgan_tf.runs.environment import Environment
from clgan_tf.runs.result import ClassScores, Means, RunResult, Scores
from clgan_tf.settings import TrainSettings
from clgan_tf.sweeps.results import Cell, Row

ISCX, USTC = "iscx_vpn_nonvpn_2016", "ustc_tfc2016"
NAMES = ["Chat", "a_b^$x$"]


def row(model, accuracy, labels=1000, seed=0, unlabelled=8000, source=USTC, representation="l7", unit="total"):
    means = Means(accuracy - 0.01, accuracy, accuracy - 0.02)
    score = Scores(
        accuracy=accuracy,
        precision=accuracy - 0.01,
        recall=accuracy,
        f1=accuracy - 0.02,
        weighted=means,
        per_class={name: ClassScores(0.5, 0.5, 0.5, sessions=10) for name in NAMES},
        confusion=[[8, 2], [1, 9]],
        sessions=20,
    )
    curves = {"discriminator_loss": [3.0, 2.0], "generator_loss": [1.0, 4.0]} if model.endswith("gan") else {}
    count = {"fraction": 3194, "per_class": 20 * labels}.get(unit, labels)
    data = DataFacts(
        source_kind=source,
        class_names=NAMES,
        representation=representation,
        representation_version=1,
        unit="session",
        rules=SessionRules(),
        split=Split(SplitRule.SESSION, 0, 0.2, 0.1),
        recipe=recipe.VERSION,
        fingerprint=f"{source}{representation}",
        sizes={"test": 20},
        class_sizes={},
        shared_images=0,
        shared_sessions=0,
    )
    settings = TrainSettings(
        dataset=Path("data"),
        run_dir=Path("run"),
        model=model,
        labels=labels,
        labels_unit=unit,
        seed=seed,
        batch_size=64,
        pretraining_epochs=8,
    )
    result = RunResult(
        systems={model: score},
        data=data,
        labels=LabelFacts(labels, unit, count, 10, unlabelled or 5000, "f"),
        settings=settings,
        environment=Environment("1", None, None, "3", {"keras": "3"}, "Linux", "x86_64", 2),
        seconds=60.0,
    )
    return Row(Cell(f"{source}_{representation}", model, labels, unlabelled, seed), result, curves)


ROWS = [
    *(row("clgan", accuracy, seed=seed) for seed, accuracy in enumerate((0.80, 0.84))),
    row("clgan", 0.9, labels=2000),
    row("cnn_lstm", 0.86, labels=2000),
    *(row("dcgan", accuracy, seed=seed) for seed, accuracy in enumerate((0.81, 0.82, 0.50))),  # 2 has no partner
    row("random_forest", 0.85),
    row("extra_trees", 0.85 - 1e-9),  # no difference that the table shows
    row("clgan", 0.7, labels=0.005, unlabelled=0, source=ISCX, unit="fraction", representation="all_layers"),
    row("clgan", 0.6, unlabelled=2000, source=ISCX, representation="all_layers"),
]


def table(text, number, representation="l7"):
    section = re.search(rf"## Table {number}\. [^\n]*, {representation}: .*?(?=\n## |\Z)", text, re.DOTALL)
    return [line for line in section[0].splitlines() if line.startswith("| ") and "Labelled" not in line]


def test_tables_hold_their_systems_means_and_spreads():
    text = paper.page(ROWS)
    assert table(text, 3) == [
        "| 1,000 | 8,000 | 1,000 | CLGAN | 82.0 ± 2.8 | 81.0 ± 2.8 | 82.0 ± 2.8 | 80.0 ± 2.8 | 0, 1 |",
        "| 1,000 | 8,000 | 1,000 | DCGAN | 71.0 ± 18.2 | 70.0 ± 18.2 | 71.0 ± 18.2 | 69.0 ± 18.2 | 0, 1, 2 |",
        "| 1,000 | none | none | RandomForest | **85.0** | **84.0** | **85.0** | **83.0** | 0 |",
        "| 1,000 | none | none | ExtraTrees | **85.0** | **84.0** | **85.0** | **83.0** | 0 |",
        "| 2,000 | 8,000 | 1,000 | CLGAN | **90.0** | **89.0** | **90.0** | **88.0** | 0 |",
    ]
    assert [line.split(" | ")[3] for line in table(text, 5)] == [
        "CLGAN", "RandomForest", "ExtraTrees", "CLGAN", "CNN-LSTM",
    ]  # fmt: skip
    assert table(text, 1, "all_layers")[0].startswith("| 0.5%: 3,194 | 5,000 | 624 | CLGAN | **70.0**")
    assert table(text, 2, "all_layers")[0].startswith("| 1,000 | 2,000 | 248 | CLGAN | **60.0**")
    assert "Table 4" not in text
    assert text.count("cannot serve the paper's 4,000 labels a class") == 2  # tables 3 and 5
    assert "fit none of the paper's tables" not in text


def test_budgets_by_class_stand_beside_totals_and_are_not_averaged_with_them():
    by_class = [row("clgan", 0.95, labels=100, unit="per_class"), row("dcgan", 0.9, labels=100, unit="per_class")]
    text = paper.page([*ROWS, *by_class, row("dcgan", 0.2, labels=100), row("cnn_lstm", 0.6, labels=100)])
    labelled = [(line.split(" | ")[0], line.split(" | ")[3]) for line in table(text, 3)]
    assert labelled == [
        ("| 100", "DCGAN"),
        *[("| 1,000", name) for name in ("CLGAN", "DCGAN", "RandomForest", "ExtraTrees")],
        ("| 2,000", "CLGAN"),
        ("| 100 a class: 2,000", "CLGAN"),
        ("| 100 a class: 2,000", "DCGAN"),
    ]
    assert "| about +4 | USTC-TFC2016, l7 | 1,000: +0.5 (2); 100 a class: 2,000: +5.0 (1) |" in text


def test_what_fits_no_table_is_named():
    text = paper.page([*ROWS, row("clgan", 0.5, labels=1, unlabelled=5), row("clgan_cross_attention", 0.5)])
    assert "2 of 13 runs fit none of the paper's tables: CLGAN on ustc_tfc2016_l7, CLGAN, section 2.1 on ustc" in text
    assert "| 50.0" not in "".join(table(text, 3))


def with_settings(one, **changes):
    return replace(one, result=replace(one.result, settings=replace(one.result.settings, **changes)))


def with_data(one, **changes):
    return replace(one, result=replace(one.result, data=replace(one.result.data, **changes)))


def test_rows_of_an_earlier_recipe_are_marked():
    assert "**Superseded.**" not in paper.page(ROWS)
    assert "**Superseded.** These runs are of data that recipe 1 made" in paper.page(
        [with_data(one, recipe=1) for one in ROWS]
    )


def test_settings_that_trees_do_not_know_may_differ():
    paper.page([*ROWS, with_settings(row("nearest_neighbour", 0.5), batch_size=256, pretraining_epochs=1)])


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (row("clgan", 0.8), "clgan on ustc_tfc2016_l7, 1000 labels total, seed 0 is there twice"),
        (with_data(row("clgan", 0.8, seed=7), fingerprint="f"), "is of other data"),
        (with_data(row("clgan", 0.8, seed=7), recipe=1), "is of other data"),
        (with_settings(row("clgan", 0.8, seed=7), batch_size=256), "has other settings than its group"),
    ],
)
def test_unlike_rows_are_not_averaged(other, words):
    with pytest.raises(DataError, match=words):
        paper.page([*ROWS, other])


def test_the_abstracts_claims_are_held_against_differences_seed_by_seed():
    claims = paper.page(ROWS).partition("## What the paper's abstract claims")[2]
    assert "about +3 | USTC-TFC2016, l7 | 2,000: +4.0 (1) |" in claims
    assert "about +4 | USTC-TFC2016, l7 | 1,000: +0.5 (2) |" in claims


def test_clgan_is_counted_ahead_cell_by_cell_on_seeds_that_both_have():
    text = paper.page(ROWS)
    head = "| USTC-TFC2016, l7 |"
    assert f"{head} DCGAN | 1 of 1 | +0.5 | +0.5 at 1,000 / 8,000 |" in text  # seeds 0 and 1: -1 and +2
    assert f"{head} CNN-LSTM | 1 of 1 | +4.0 | +4.0 at 2,000 / 8,000 |" in text
    assert f"{head} RandomForest | 0 of 1 | -5.0 | -5.0 at 1,000 / 8,000 |" in text  # seed 0 alone
    other_pool = row("random_forest", 0.62, labels=1000, source=ISCX, representation="all_layers")
    behind = row("dcgan", 0.5, source=ISCX, representation="all_layers")  # of another pool: no like comparison
    section = paper.page([*ROWS, other_pool, behind]).partition("## In how many cells")[2]
    assert "all_layers | RandomForest | 0 of 1 | -2.0 | -2.0 at 1,000 / 2,000 |" in section
    assert "all_layers | DCGAN" not in section


def test_the_mode_writes_a_page_with_its_pictures_inside(tmp_path, capsys):
    for name, rows in (("a", ROWS[:5]), ("b", ROWS[5:])):
        (tmp_path / f"{name}.jsonl").write_text("".join(map(typed_json.line, rows)))
    results = f"--results={tmp_path}/a.jsonl,{tmp_path}/b.jsonl"
    assert main(["--mode=report", results]) == 0
    assert capsys.readouterr().out == paper.page(ROWS)
    output = tmp_path / "out/report.md"
    assert main(["--mode=report", results, f"--output={output}"]) == 0
    text, whole = output.read_text(), output.with_suffix(".html").read_text()
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert sorted(pictures) == sorted(path.name for path in output.parent.glob("*.png"))
    assert [name for name in pictures if "ustc-l7" in name] == [
        f"report-ustc-l7-{what}.png" for what in ("labels", "losses", "confusion-clgan", "confusion-dcgan")
    ]
    assert whole.count('src="data:image/png;base64,') == len(pictures)
    assert "src=" not in re.sub(r'src="data:image/png;base64,[\w+/=]+"', "", whole)
    assert "http" not in whole
    assert whole.count("<tr>") == sum(line.startswith("| ") for line in text.splitlines())


def test_markup_in_a_row_is_text_and_odd_names_keep_their_pictures(tmp_path):
    markup = "<script>alert(1)</script> ![x](https://a.b/c.png) [x](javascript:a)"
    rows = [
        replace(one, result=replace(one.result, environment=replace(one.result.environment, system=markup)))
        for one in ROWS
    ]
    paper.write(rows, tmp_path / "a & (b):c.md")
    whole = (tmp_path / "a & (b):c.html").read_text()
    assert "<script>" not in whole
    assert "&lt;script&gt;" in whole
    assert "<a" not in whole
    assert "https://a.b/c.png)" in whole
    assert whole.count('src="data:image/png;base64,') == whole.count("<img") > 3


def test_without_phase_1_there_are_no_losses_to_draw(tmp_path):
    written = paper.write([replace(one, curves={}) for one in ROWS[:4]], tmp_path / "report.md")
    assert not [path for path in written if "losses" in path.name]


@pytest.mark.parametrize(
    ("flags", "status", "words"),
    [
        ([], 2, "--mode=report needs --runs (or --run_dir), or else --results"),
        (["--runs=a", "--results=b"], 2, "or else --results"),
        (["--results=/none/results.jsonl"], 1, "/none/results.jsonl: No such file or directory; give a sweep's"),
        (["--results=/dev/null"], 1, "/dev/null: holds no row"),
    ],
)
def test_wrong_results_are_told(flags, status, words, capsys):
    assert main(["--mode=report", *flags]) == status
    assert words in capsys.readouterr().err
