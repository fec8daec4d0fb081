"""Where the records of a capture file begin, many at a time.

A record says how long it is, so that the next one's place is known only then: one after another, in Python, that takes
longer than all else. So the bytes at hand are cut into segments, in each of which a record's beginning is guessed, and
all chains of records walk at once in NumPy. A chain counts only if the records before it lead exactly to where it was
guessed to begin: what comes out is exact, whatever was guessed.
"""

from bisect import bisect_left
from typing import Protocol

import numpy as np

LEAST_RECORD = 12  # bytes; no format has shorter ones
SEGMENT = 16 << 10  # bytes: some dozens of records
STEPS, FEW_CHAINS = 128, 8  # a step costs the same for one chain as for hundreds: the rest of few is read one by one
TRIES = 8  # guesses in a segment before it is left to the chain in front of it


class Records(Protocol):
    """What the walk must know of a format."""

    def following(self, buffer: bytearray, at: np.ndarray, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Where the records behind those at `at` begin, int64 [n], and whether those are sound and end before `stop`.

        `at` may lie up to MARGIN bytes behind `stop`.
        """

    def next(self, buffer: bytearray, at: int, stop: int) -> int:
        """Where the record behind the one at `at` begins; 0 if that is not sound or does not end before `stop`."""

    def mark(self, buffer: bytearray, begin: int) -> tuple[bytes, int]:
        """Bytes that most records have in common with the one at `begin`, and their place in a record."""

    def is_plausible(self, buffer: bytearray, at: int, begin: int, stop: int) -> bool:
        """Whether a record seems to begin at `at`, where the mark stands; one does at `begin`."""


def record_starts(buffer: bytearray, begin: int, stop: int, records: Records) -> tuple[np.ndarray, int]:
    """Starts of whole records from `begin` on, int64 [n], and where the next one begins.

    It stops at the first that is not sound or whole. Behind a wrong guess records are read one by one, up to where a
    chain begins that they lead to.
    """
    guesses = _guesses(buffer, begin, stop, records)
    at = np.array(guesses)
    limits = np.array([*guesses[1:], stop])
    going = np.ones(len(at), bool)
    places, accepted = [], []
    for step in range(SEGMENT // LEAST_RECORD):  # so many fit into a segment; memory is bounded
        if not going.any() or (step >= STEPS and np.count_nonzero(going) < FEW_CHAINS):
            break
        following, is_sound = records.following(buffer, np.minimum(at, stop), stop)
        going = (at < limits) & is_sound
        places.append(at)
        accepted.append(going)
        at = np.where(going, following, at)
    walked, is_whole = np.array(places), np.array(accepted)
    leads_on = np.append(at[:-1] == limits[:-1], False)
    ends_of_runs = np.flatnonzero(~leads_on)
    parts, chain = [], 0
    while True:
        last = int(ends_of_runs[np.searchsorted(ends_of_runs, chain)])
        run = slice(chain, last + 1)
        parts.append(walked[:, run].T[is_whole[:, run].T])
        alone: list[int] = []
        here, chain = int(at[last]), last + 1
        while (chain := bisect_left(guesses, here, chain)) == len(guesses) or guesses[chain] != here:
            behind = records.next(buffer, here, stop)
            if not behind:
                return np.concatenate([*parts, np.array(alone, np.int64)]), here
            alone.append(here)
            here = behind
        parts.append(np.array(alone, np.int64))


def _guesses(buffer: bytearray, begin: int, stop: int, records: Records) -> list[int]:
    """Rising places where a record seems to begin; the first is `begin`, which is known to be one."""
    mark, offset = records.mark(buffer, begin)
    guesses = [begin]
    for segment in range(begin + SEGMENT, stop - SEGMENT, SEGMENT):
        at = max(segment, guesses[-1] + 1)
        for _ in range(TRIES):
            at = buffer.find(mark, at + offset, segment + SEGMENT) - offset
            if at < 0:
                break
            if records.is_plausible(buffer, at, begin, stop):
                guesses.append(at)
                break
            at += 1
    return guesses
