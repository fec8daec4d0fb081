"""The page of any sweep: which runs are set beside each other, and what is told of them."""

import re
from dataclasses import replace

import pytest

from clgan_tf.common import typed_json
from clgan_tf.common.errors import DataError
from clgan_tf.main import main
from clgan_tf.reporting import paper, sweep_report
from clgan_tf.settings import LABEL_UNITS
from tests.reporting.test_paper import row


def variant(one, name):
    return replace(one, cell=replace(one.cell, variant=name))


ROWS = [
    row("random_forest", 0.72, labels=100),
    *(row("clgan_plus", accuracy, labels=100, seed=seed) for seed, accuracy in enumerate((0.8, 0.84))),
    row("clgan_plus", 0.9, labels=1000),
    variant(row("clgan_plus", 0.75, labels=100, seed=1), "no_phase_1"),
    row("clgan_plus", 0.5, labels=20, unit="per_class", representation="masked"),
]


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("| ")]


def test_every_run_has_its_place_and_differences_are_of_seeds_that_both_have():
    text = sweep_report.page(ROWS)
    assert lines(text) == [
        "| System | 100 labels, 8,000 unlabelled | 1,000 labels, 8,000 unlabelled |",
        "| CLGAN+ | **82.0 / 80.0 ± 2.8 (2)** | **90.0 / 88.0 (1)** |",
        "| CLGAN+, no phase 1 | 75.0 / 73.0 (1) |  |",
        "| RandomForest | 72.0 / 70.0 (1) |  |",
        "| Points of macro-F1, on seeds of both | 100 labels, 8,000 unlabelled | 1,000 labels, 8,000 unlabelled |",
        "| CLGAN+ less RandomForest | +8.0 (1) |  |",
        "| CLGAN+, no phase 1 less CLGAN+ | -9.0 (1) |  |",
        "| System | 20 a class, 8,000 unlabelled |",
        "| CLGAN+ | **50.0 / 48.0 (1)** |",
    ]
    assert "data fingerprint ustc_tfc2016l7" in text
    assert "on the test split" in text


@pytest.mark.parametrize("unit", LABEL_UNITS)
def test_a_budget_of_every_unit_has_its_column(unit):
    header = lines(sweep_report.page([row("clgan_plus", 0.8, labels=1, unit=unit)]))[0]
    assert re.match(
        r"\| System \| (1 labels|1 a class|at most 1 a class|100% of the labels), 8,000 unlabelled \|", header
    )


def test_unlike_rows_are_not_averaged():
    with pytest.raises(DataError, match=r"CLGAN\+ on ustc_tfc2016_l7, 1,000 labels, .* seed 0 is there twice"):
        sweep_report.page([*ROWS, ROWS[3]])
    other = replace(ROWS[0].result, data=replace(ROWS[0].result.data, fingerprint="other"))
    with pytest.raises(DataError, match="is of other data than the rows before it"):
        sweep_report.page([*ROWS[1:], replace(ROWS[0], result=other)])


def test_the_mode_writes_it_where_the_papers_tables_have_no_row(tmp_path, capsys):
    results = tmp_path / "results.jsonl"
    results.write_text("".join(map(typed_json.line, ROWS)))
    assert not paper.is_of_it(ROWS)
    assert main(["--mode=report", f"--results={results}"]) == 0
    assert capsys.readouterr().out == sweep_report.page(ROWS)
    assert main(["--mode=report", f"--results={results}", f"--output={tmp_path / 'own.md'}"]) == 0
    text = (tmp_path / "own.md").read_text()
    # One budget alone makes no curve.
    assert re.findall(r"!\[.*?\]\((.*?)\)", text) == ["own_ustc_tfc2016_l7.png"]
    assert (tmp_path / "own_ustc_tfc2016_l7.png").exists()
    assert (tmp_path / "own.html").read_text().count('src="data:image/png;base64,') == 1
    results.write_text("".join(map(typed_json.line, [ROWS[0], row("clgan", 0.8)])))
    assert main(["--mode=report", f"--results={results}"]) == 0
    assert "## Table 3\n" in capsys.readouterr().out
