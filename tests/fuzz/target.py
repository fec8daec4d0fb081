"""One input of the fuzzer: what it may do to the capture room, and what must hold whatever it is."""

import itertools
from pathlib import Path

from clgan_tf import capture
from clgan_tf.capture import REPRESENTATIONS, SessionRules, session_table, window
from clgan_tf.capture.reasons import REASONS
from clgan_tf.common.errors import CaptureError

WAYS = list(itertools.product(REPRESENTATIONS, capture.UNITS, ("outer", "inner"), (False, True)))


def run(data: bytes, scratch: Path) -> None:
    """The first byte chooses representation, unit, tunnels and timeouts; the rest is a capture file.

    Raises:
      Anything but CaptureError: a fault of the capture room.
    """
    if not data:
        return
    representation, unit, tunnels, ends = WAYS[data[0] % len(WAYS)]
    window.CHUNK_BYTES = 64 if data[0] > 127 else 4096  # so that small inputs meet many boundaries
    session_table.INTERVAL = 3
    session_table.MOST_LIVE_SESSIONS, session_table.LEAVE_EARLY = 4096, 512  # within the fuzzer's limit of memory
    scratch.write_bytes(data[1:])
    rules = SessionRules(tunnels, idle_timeout=1.5 * ends, active_timeout=60.0 * ends, tcp_close=ends)
    try:
        sessions = capture.load(scratch, representation, unit, rules=rules)
    except CaptureError as error:
        if str(scratch) not in str(error):
            raise AssertionError(f"the message names no file: {error}") from error
        return
    assert int(sessions.packets.sum()) + sum(sessions.drops.values()) == sessions.packets_read
    assert set(sessions.drops) <= set(REASONS)
    assert sessions.images.shape == (len(sessions), 28, 28)
    assert len(set(sessions.identifiers())) <= len(sessions)
    for row in range(min(len(sessions), 8)):
        sessions.endpoints(row)
