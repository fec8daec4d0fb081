"""Every published capture against tshark; the study that writes the committed table does the work."""

import importlib.util
import shutil
from pathlib import Path

import pytest

STUDY = Path(__file__).parents[2] / "experiments/studies/tshark_agreement.py"


@pytest.fixture(scope="module")
def study():
    if not shutil.which("tshark"):
        pytest.skip("tshark is not installed")
    specification = importlib.util.spec_from_file_location("tshark_agreement", STUDY)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_captures_agree_with_tshark_but_for_those_with_a_stated_reason(study, published_captures):
    found = study.compare(published_captures)
    assert len(found) >= 270
    different = {name for name, lines in found.items() if lines}
    assert different <= set(study.REASONS)
    assert len(different) <= (1 - study.AGREEMENT) * len(found)
