"""What the pages made of a sweep's results have in common: their arguments, and the results kept beside them."""

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path

from clgan_tf.sweeps.results import Row, read_results


def main(about: str, name: str, page: Callable[[list[Row], Path], str]) -> None:
    """Writes experiments/results/NAME.md and NAME.jsonl, or what --output names instead, and prints the page.

    Args:
      about: the script's help; page: the rows, and the path without a suffix -> Markdown.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--output", type=Path, default=Path("experiments/results") / name)
    options = parser.parse_args()
    text = page(read_results(options.results), options.output)
    options.output.with_suffix(".md").write_text(text, encoding="utf-8")
    kept = options.output.with_suffix(".jsonl")
    if kept.resolve() != options.results.resolve():
        shutil.copyfile(options.results, kept)
    print(text)
