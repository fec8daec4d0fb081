"""Where the records of a pcap file begin, many at a time.

A record says how long it is, so that the next one's place is known only then: one after another, in Python, that takes
longer than all else. So the bytes at hand are cut into segments, in each of which a record's beginning is guessed, and
all chains of records walk at once in NumPy. A chain counts only if the one before it ends exactly where it was
guessed to begin: what comes out is exact, whatever was guessed.
"""

import numpy as np

from clgan_tf.capture.block import gather

RECORD_HEADER = 16
SEGMENT = 8 << 10  # bytes: some dozens of records
TRIES = 8  # guesses in a segment before it is left to the chain in front of it


def record_starts(buffer: bytearray, begin: int, stop: int, order: str, most: int) -> tuple[np.ndarray, int]:
    """Starts of whole records from `begin` on, int64 [n], and where the next one begins.

    It may stop early, at a record that it leaves to the caller: the last ones, one that claims more than `most`
    bytes, and one behind SEGMENT / RECORD_HEADER others for which no place was guessed.
    """
    guesses = _guesses(buffer, begin, stop, order, most)
    at = np.array(guesses)
    limits = np.array([*guesses[1:], stop])
    going = np.ones(len(at), bool)
    places, accepted = [], []
    for _ in range(SEGMENT // RECORD_HEADER):  # so many fit into a segment; memory is bounded
        if not going.any():
            break
        captured = gather(buffer, np.minimum(at, stop) + 8, order + "u4").astype(np.int64)
        following = at + RECORD_HEADER + captured
        going = (at < limits) & (captured <= most) & (following <= stop)
        places.append(at)
        accepted.append(going)
        at = np.where(going, following, at)
    broken = np.flatnonzero(at[:-1] != limits[:-1])
    chains = broken[0] + 1 if len(broken) else len(at)
    inside = np.array(accepted)[:, :chains].T
    return np.array(places)[:, :chains].T[inside], int(at[chains - 1])


def _guesses(buffer: bytearray, begin: int, stop: int, order: str, most: int) -> list[int]:
    """Rising places where a record seems to begin; the first is `begin`, which is known to be one."""
    high = 2 if order == "<" else 0  # the upper half of a time in seconds changes every 18 hours
    mark = bytes(buffer[begin + high : begin + high + 2])

    def is_plausible(at: int) -> int:
        """The place of the next record, 0 if there is none at `at`."""
        captured, wire = (
            int.from_bytes(buffer[at + place : at + place + 4], "little" if order == "<" else "big")
            for place in (8, 12)
        )
        return at + RECORD_HEADER + captured if captured <= min(wire, most) else 0

    guesses = [begin]
    for segment in range(begin + SEGMENT, stop - SEGMENT, SEGMENT):
        at = max(segment, guesses[-1] + 1)
        for _ in range(TRIES):
            at = buffer.find(mark, at + high, segment + SEGMENT) - high
            if at < 0:
                break
            following = is_plausible(at)
            if (
                following
                and following + RECORD_HEADER < stop
                and buffer[following + high : following + high + 2] == mark
            ):
                guesses.append(at)
                break
            at += 1
    return guesses
