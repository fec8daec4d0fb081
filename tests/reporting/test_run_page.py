"""A run's page: everything that a reader asks for, in one file, whatever classes and captures are called."""

import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from clgan_tf.data.dataset import open_dataset
from clgan_tf.reporting import run_page
from clgan_tf.runs.result import read_result

SECTIONS = ["In short", "Data", "Systems on the same labels", "Classes", "Confusions", "How sure"]
MORE = ["Which bytes it goes by", "Its surest mistakes", "Training", "Sessions that the generator made"]


def test_a_finished_run_has_it_whole_and_in_one_file(finished_run, prepared):
    text = (finished_run / "report.html").read_text()
    assert re.findall(r"<h2 id=[^>]*>(.*?)</h2>", text) == SECTIONS + MORE
    assert re.findall(r'<a href="#([^"]*)">', text) == re.findall(r'<h2 id="([^"]*)">', text)
    assert text.count('src="data:image/png;base64,') == 6
    assert "src=" not in text.replace('src="data:', "")
    result = read_result(finished_run / "metrics.json")
    assert f"<strong>{100 * result.scores.accuracy:.1f} %</strong> of {result.scores.sessions} sessions" in text
    assert re.search(r"So few sessions tell the accuracy to ± \d+ points", text)
    forest = result.systems["random_forest"].f1
    assert f"macro-F1 {100 * forest:.1f} ({100 * (result.scores.f1 - forest):+.1f} for this one)" in text
    assert prepared.facts.fingerprint[:16] in text
    assert re.search(r"taken for <strong>\w+</strong>, \d+ % sure \(\w+/\d\.pcap\)", text)
    assert text.count("<pre>") == 5


MEASURE = """<script>document.body.dataset.measured = [
  document.documentElement.scrollWidth <= innerWidth,
  [...document.images].every(image => image.naturalWidth > 0 && image.getBoundingClientRect().right <= innerWidth),
  [...document.querySelectorAll("h1, h2, p, li")].every(text => text.scrollWidth <= text.clientWidth),
].join()</script></body>"""


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
@pytest.mark.parametrize("width", [1400, 500])
def test_in_a_browser_it_fits_a_wide_window_and_a_narrow_one(finished_run, tmp_path, width):
    page = tmp_path / "report.html"
    page.write_text((finished_run / "report.html").read_text().replace("</body>", MEASURE))
    command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"]
    command += [f"--window-size={width},900", "--virtual-time-budget=5000", "--dump-dom", page.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert re.search(r'data-measured="(.*?)"', shown)[1] == "true,true,true"


def test_what_a_run_does_not_have_is_left_out(finished_run, prepared):
    result = read_result(finished_run / "metrics.json")
    text = run_page.page(result, prepared, None, {"confusion_matrix.png"})
    assert re.findall("^## (.*)$", text, re.MULTILINE) == SECTIONS
    assert re.findall(r"!\[.*?\]\((.*?)\)", text) == ["confusion_matrix.png"]


def test_names_of_classes_are_shown_as_they_are(finished_run, prepared):
    result = read_result(finished_run / "metrics.json")
    odd = ["<script>alert(1)</script>", "[a](http://b)", "*x* _y_ `z`", *result.data.class_names[3:]]
    of_class = dict(zip(odd, result.scores.per_class.values(), strict=True))
    scores = replace(result.scores, per_class=of_class)
    named = replace(result, data=replace(result.data, class_names=odd), systems={result.model: scores})
    text = run_page.web_page.self_contained(
        run_page.page(named, open_dataset(prepared.directory), None, set()), pictures={}
    )
    assert "<script" not in text
    assert "<em>x</em>" not in text
    assert 'href="http' not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_how_much_an_accuracy_may_be_off_is_never_nothing():
    """The interval's ends solve (p - share)^2 = 1.96^2 p (1 - p) / n: of 33 of 33, 1 and 33 / (33 + 1.96^2)."""
    assert run_page.uncertainty(1.0, 33) == pytest.approx((1 - 33 / (33 + 1.96**2)) / 2)
    assert run_page.uncertainty(0.5, 10_000) == pytest.approx(0.0098, abs=1e-5)
