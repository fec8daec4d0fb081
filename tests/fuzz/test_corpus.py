"""The fuzzer's inputs again, without the fuzzer; and each of them cut short and changed at random."""

import random
from pathlib import Path

import pytest

from clgan_tf.capture import session_table, window
from tests.fuzz import target

CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_no_input_does_more_than_raise_our_own_error(tmp_path, monkeypatch, path):
    of_the_table = [(session_table, name) for name in ("INTERVAL", "MOST_LIVE_SESSIONS", "LEAVE_EARLY")]
    for module, name in ((window, "CHUNK_BYTES"), *of_the_table):
        monkeypatch.setattr(module, name, getattr(module, name))  # puts back what the target sets
    data, rng = path.read_bytes(), random.Random(path.name)
    target.run(data, tmp_path / "a")
    for _ in range(20):
        changed = bytearray(data)
        for _ in range(rng.randrange(4)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        target.run(bytes(changed[: rng.randrange(len(changed)) + 1]), tmp_path / "a")


def test_the_corpus_is_small():
    assert len(CORPUS) >= 15
    assert sum(path.stat().st_size for path in CORPUS) < 200_000
