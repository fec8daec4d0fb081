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
from clgan_tf.reporting.paper.published import TABLES
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
    count = {"fraction": 3194, "per_class_at_most": 20 * labels}.get(unit, labels)
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
    row("clgan", 0.7, labels=0.1, unlabelled=0, source=ISCX, unit="fraction", representation="all_layers"),
    row("dcgan", 0.9, labels=0.1, unlabelled=0, source=ISCX, unit="fraction", representation="all_layers"),
    row("clgan", 0.99, unlabelled=4000, source=ISCX, representation="all_layers"),
]


def lines(text, number, representation="l7"):
    """The table's lines, of all its parts, that hold figures of one layout."""
    section = re.search(rf"## Table {number}\n(.*?)(?=\n## |\Z)", text, re.DOTALL)[1]
    of_layout = re.findall(rf"`{representation}`[^\n]*:\n\n((?:\|[^\n]*\n)+)", section + "\n")
    return [line for part in of_layout for line in part.splitlines()[2:]]


def test_every_figure_of_the_paper_stands_in_its_table():
    text = paper.page(ROWS)
    assert [len(lines(text, number)) for number in range(1, 6)] == [4, 6, 12 + 3, 8 + 8, 8 + 1 + 1]
    assert "| CLGAN | 1,000 | 6,000 | 98.0 / not run | 98.2 / not run | 98.4 / not run | 97.9 / not run |" in text
    assert "| Autoencoder | 1,000 | all | 98.4 / not run | 98.4 / not run | 98.4 / not run | 98.4 / not run |" in text
    cells = [figure for table in TABLES for rows in table.rows.values() for cell in rows.values() for figure in cell]
    assert len(cells) == 8 + 6 * 4 + 12 * 4 + 2 * 8 * 4 + 8 * 4 + 1 * 4
    # The means that PAPER's tables have in these columns, added up once by hand.
    assert sum(figures["accuracy"] for figures in TABLES[0].rows["clgan"].values()) == pytest.approx(388.6)
    assert sum(figures["f1"] for figures in TABLES[2].rows["autoencoder"].values()) == pytest.approx(559.9)


def test_a_cell_has_the_papers_figure_ours_and_the_difference():
    text = paper.page(ROWS)
    assert lines(text, 1, "all_layers")[0] == "| 10 % (3,194) | 94.2 / 70.0 / -24.2 | 89.3 / 90.0 / +0.7 |"
    assert lines(text, 2, "all_layers")[0].startswith("| CLGAN | 1,000 | 4,000 | 97.8 / 99.0 / +1.2 | 97.5 / 98.0 ")
    clgan = lines(text, 3)[4]
    assert clgan.startswith("| CLGAN | 1,000 | 8,000 | 98.1 / 82.0 ± 2.8 / -16.1 | 98.1 / 81.0 ± 2.8 / -17.1 |")
    assert lines(text, 5)[1].startswith("| CNN-LSTM | 2,000 | none | 96.7 / 86.0 / -10.7 |")
    assert lines(text, 5)[5].startswith("| CLGAN | 2,000 | 8,000 | 98.5 / 90.0 / -8.5 |")
    # CNN-LSTM and trees use no unlabelled sessions: theirs stand in rows of every pool.
    assert lines(text, 3)[-3:] == [
        "| 1,000 + 4,000 | not run | 85.0 / 83.0 |",
        "| 1,000 + 8,000 | 71.0 ± 18.2 / 69.0 ± 18.2 | 85.0 / 83.0 |",
        "| 1,000 | not run | 85.0 / 83.0 |",
    ]


def test_budgets_by_class_are_a_table_of_their_own():
    by_class = row("cnn_lstm", 0.95, unit="per_class_at_most")
    text = paper.page([*ROWS, by_class])
    assert "labels of each class.** Of the published tenth" in text
    assert lines(text, 5)[-1].startswith("| CNN-LSTM | 1,000 a class (20,000) | none | 95.6 / 95.0 / -0.6 |")
    assert lines(text, 5)[4].startswith("| CLGAN | 1,000 | 8,000 | 98.2 / 82.0 ± 2.8 ")


def test_what_was_not_run_and_what_fits_no_row_is_named():
    text = paper.page([*ROWS, row("clgan", 0.5, labels=7, unlabelled=5), row("clgan_cross_attention", 0.5, labels=8)])
    section = text.partition("## What was not run")[2].partition("\n## ")[0]
    assert "- table 1, `all_layers`, CLGAN: 30 %, 50 %, 70 %\n" in section
    assert "- table 2, `all_layers`, CLGAN: 1,000 + 6,000, 1,000 + 8,000\n" in section
    assert "- table 2, `all_layers`, of 3 rows have DCGAN 0, CNN-LSTM 0, RandomForest 0, " in section
    assert "2 of 13 runs fit none of the paper's rows: CLGAN on ustc_tfc2016_l7, CLGAN, section 2.1 on ustc" in section
    assert "50.0" not in section


def test_the_summary_holds_differences_on_the_same_labels_beside_the_papers():
    text = paper.page(ROWS).partition("## How to read it")[0]
    head, _, *summary = [line for line in text.splitlines() if line.startswith("|")]
    assert head == "| CLGAN's accuracy less that of | in the paper | ours, all_layers | ours, l7 |"
    assert summary[0] == (
        "| the paper's CLGAN | 0 | -11.5, from -24.2 to +1.2 over 2 rows | -13.6, from -16.2 to -8.5 over 3 rows |"
    )
    # Seeds 0 and 1: -1 and +2; the paper's, table 1: 4.95, 5.49, 5.36 and 4.80.
    assert summary[1] == "| DCGAN | +5.1 | -20.0 in one row | +0.5 in one row |"
    assert summary[2].startswith("| CNN-LSTM | +1.8 | not run | +4.0 in one row |")
    assert summary[3] == "| RandomForest | not there | not run | -5.0 in one row |"
    assert len(summary) == 4


def test_a_sweep_of_other_rows_is_none_of_the_papers():
    assert paper.is_of_it(ROWS)
    assert not paper.is_of_it([row("clgan", 0.5, labels=7, unlabelled=5), row("cnn_lstm", 0.6)])


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
    assert pictures == [
        *(f"report-iscx-all_layers-{what}.png" for what in ("losses", "confusion-clgan", "confusion-dcgan")),
        "report-ustc-l7-labels.png",
    ]
    assert whole.count('src="data:image/png;base64,') == len(pictures)
    assert "src=" not in re.sub(r'src="data:image/png;base64,[\w+/=]+"', "", whole)
    assert "http" not in whole
    for anchor in re.findall(r"\]\(#(.*?)\)", text):
        assert f'id="{anchor}"' in whole
    assert whole.count("<tr>") == sum(line.startswith("| ") for line in text.splitlines())


def test_markup_in_a_row_is_text_and_odd_names_keep_their_pictures(tmp_path):
    markup = "<script>alert(1)</script> ![x](https://a.b/c.png) [x](javascript:a)"
    rows = [
        replace(one, result=replace(one.result, environment=replace(one.result.environment, processor=markup)))
        for one in ROWS
    ]
    paper.write(rows, tmp_path / "a & (b):c.md")
    whole = (tmp_path / "a & (b):c.html").read_text()
    assert "<script>" not in whole
    assert "&lt;script&gt;" in whole
    assert re.findall(r'<a href="([^#].*?)"', whole) == []
    assert "https://a.b/c.png)" in whole
    assert whole.count('src="data:image/png;base64,') == whole.count("<img") > 3


def test_without_phase_1_there_are_no_losses_to_draw(tmp_path):
    written = paper.write([replace(one, curves={}) for one in ROWS], tmp_path / "report.md")
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
