"""How the table of live sessions puts packets in order, and tells sessions apart whose keys have one hash."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clgan_tf import capture
from clgan_tf.capture import session_table
from tests import packets as p


@given(st.lists(st.one_of(st.integers(0, 5), st.integers(0, 2**48 - 1)), max_size=200))
def test_the_order_is_that_of_a_stable_sort(values):
    values = np.array(values, np.uint64)
    np.testing.assert_array_equal(session_table._order(values), np.argsort(values, kind="stable"))


def test_the_order_of_as_many_as_there_may_be():
    values = np.random.default_rng(0).integers(0, 100, session_table.INTERVAL)
    np.testing.assert_array_equal(session_table._order(values), np.argsort(values, kind="stable"))


@pytest.mark.parametrize("bits", [0, 20])
def test_sessions_whose_keys_have_one_hash_are_told_apart(tmp_path, monkeypatch, bits):
    """bits: of the hash that no key has in common with others."""
    path = tmp_path / "many.pcap"
    segments = [p.udp(bytes([number % 50 + 1]) * 9, 1000 + number % 50) for number in range(200)]
    path.write_bytes(p.pcap([p.ethernet(p.ipv4(segment)) for segment in segments]))
    expected = capture.load(path, "l7")
    hashes = session_table.hashes_of
    monkeypatch.setattr(session_table, "hashes_of", lambda keys: hashes(keys) & np.uint64((1 << bits) - 1))
    found = capture.load(path, "l7")
    assert len(found) == 50
    np.testing.assert_array_equal(found.images, expected.images)
    np.testing.assert_array_equal(found.key, expected.key)
    np.testing.assert_array_equal(found.packets, np.full(50, 4))
