"""IP fragments to datagrams, within limits: RFC 791 and RFC 8200 section 4.5."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from clgan_tf.capture.packet import Fragment
from clgan_tf.capture.reasons import INCOMPLETE_FRAGMENTS, OVERLAPPING_FRAGMENTS

LIFETIME_NS = 60 * 1_000_000_000  # RFC 8200, RFC 1122: what is not whole after a minute is given up
MOST_DATAGRAMS = 1024  # at once; the oldest is given up for a new one
MOST_BYTES = 16 << 20


class Reassembled(NamedTuple):
    """A frame as it would have been without fragmentation, where its IP header lies, and of how many packets."""

    frame: bytes
    network: int
    packets: int


@dataclass
class _Datagram:
    time_ns: int
    head: bytes = b""  # the first fragment's frame up to its data
    first: Fragment | None = None
    places: list[int] = field(default_factory=list)  # sorted
    parts: list[bytes] = field(default_factory=list)  # in the order of places
    size: int = 0
    total: int | None = None
    packets: int = 0

    def add(self, fragment: Fragment, frame: bytes) -> bool:
        """Takes in a part; False if it overlaps with another one or lies behind the end."""
        data = frame[fragment.data : fragment.end]
        at = bisect_left(self.places, fragment.offset)
        if at < len(self.places) and self.places[at] == fragment.offset and self.parts[at] == data:
            return True  # sent, or captured, twice
        before_ends = self.places[at - 1] + len(self.parts[at - 1]) if at else 0
        end = fragment.offset + len(data)
        if before_ends > fragment.offset or (at < len(self.places) and end > self.places[at]):
            return False
        if not fragment.more:
            if self.total is not None or at < len(self.places):
                return False
            self.total = end
        if self.total is not None and end > self.total:
            return False
        self.places.insert(at, fragment.offset)
        self.parts.insert(at, data)
        self.size += len(data)
        if not fragment.offset:
            self.head, self.first = frame[: fragment.data], fragment
        return True

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return self.size + len(self.head)

    def whole(self) -> Reassembled | None:
        if self.first is None or self.size != self.total:
            return None
        network, data = self.first.network, b"".join(self.parts)
        if self.head[network] >> 4 == 4:
            head = bytearray(self.head)
            length = len(head) - network + len(data)
            head[network + 6 : network + 8] = bytes([head[network + 6] & 0x40, 0])  # no fragment any more
            at = network + 2
        else:
            head = bytearray(self.head[:-8])  # without the fragment header
            length = len(head) - network - 40 + len(data)
            head[self.first.naming] = self.first.protocol
            at = network + 4
        head[at : at + 2] = min(length, 0xFFFF).to_bytes(2, "big")
        return Reassembled(bytes(head) + data, network, self.packets)


class Reassembler:
    """Collects the fragments of one capture; `drops` counts, by reason, those whose datagram was given up."""

    def __init__(self) -> None:
        self.drops: Counter[str] = Counter()
        self._datagrams: dict[bytes, _Datagram] = {}  # oldest first
        self._held = 0

    def add(self, fragment: Fragment, frame: bytes, time_ns: int, packets: int = 1) -> Reassembled | None:
        """Takes a fragment in; returns the datagram if it is whole now. `packets`: of how many the frame is made."""
        self._forget_until(time_ns - LIFETIME_NS)
        datagram = self._datagrams.setdefault(fragment.identity, _Datagram(time_ns))
        held = datagram.held
        datagram.packets += packets
        if not datagram.add(fragment, frame):
            self._give_up(fragment.identity, OVERLAPPING_FRAGMENTS, held)
            return None
        self._held += datagram.held - held
        whole = datagram.whole()
        if whole:
            del self._datagrams[fragment.identity]
            self._held -= datagram.held
        while len(self._datagrams) > MOST_DATAGRAMS or self._held > MOST_BYTES:
            self._give_up(next(iter(self._datagrams)), INCOMPLETE_FRAGMENTS)
        return whole

    def finish(self) -> None:
        """Gives up what is not whole at the capture's end."""
        while self._datagrams:
            self._give_up(next(iter(self._datagrams)), INCOMPLETE_FRAGMENTS)

    def _forget_until(self, time_ns: int) -> None:
        while self._datagrams:
            identity = next(iter(self._datagrams))
            if self._datagrams[identity].time_ns >= time_ns:
                return
            self._give_up(identity, INCOMPLETE_FRAGMENTS)

    def _give_up(self, identity: bytes, reason: str, held: int | None = None) -> None:
        datagram = self._datagrams.pop(identity)
        self._held -= datagram.held if held is None else held
        self.drops[reason] += datagram.packets
