"""The live sessions of one capture: which packet belongs to which, and the bytes kept of each."""

import time
from collections.abc import Iterator
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np

from clgan_tf.capture.block import Block, gather
from clgan_tf.capture.packet import TCP, TCP_FLAGS
from clgan_tf.capture.packet_block import Segments
from clgan_tf.capture.representation import IMAGE_BYTES, SENT_BY_INITIATOR, SENT_BY_RESPONDER, Representation
from clgan_tf.capture.rules import SessionRules
from clgan_tf.capture.session_key import hashes_of, key_column, keys_of, packed

MOST_LIVE_SESSIONS = 1 << 19  # 0.6 GB with their keys
ROWS_AT_FIRST = 256  # enough for most small captures; room for the most costs each of them a millisecond
LATEST_TIME = np.iinfo(np.int64).max
PLACE_BITS = 16
INTERVAL = 1 << PLACE_BITS  # segments between two looks at what can leave: counted, so that chunk sizes change nothing
MOVED_AT_ONCE = 4096  # rows; they stay in a processor's cache
LEAVE_EARLY = MOST_LIVE_SESSIONS // 8  # so many, if the room runs out
COPIED_AT_ONCE = 8192  # sessions that leave: their images take room a second time until they are gone
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10  # TCP flags, RFC 9293
ROW_DTYPE = np.dtype(
    [
        ("opened", np.int64),  # number of the segment that opened the session
        ("recent", np.int64),  # number of its latest segment
        ("first_packet", np.int64),  # numbers in the capture, from 1: of the packet that opened it,
        ("last_packet", np.int64),  # and of the latest one
        ("initiator", np.int64),  # 0 if end point a sent the first packet, 1 if b did
        ("begun", np.int64),  # times in ns: of the packet that opened it,
        ("previous", np.int64),  # of the latest one in capture order,
        ("first", np.int64),  # the smallest
        ("last", np.int64),  # and the greatest
        ("packets", np.int64),  # 0 in a row that is free
        ("bytes", np.int64),  # of its representation
        ("size", np.int64),  # what its packets say that they have, where the representation shows that
        ("payloads", np.int64),  # packets with a payload
        ("arrived", np.int64),  # ns of this machine's monotonic clock at its latest segment
        ("told", np.int64),  # 1 once it was handed on, where sessions are handed on before their end
        ("closed", np.int64),  # smallest time in ns of a FIN or RST, LATEST_TIME without
        ("syn", np.int64),  # sequence number of the latest SYN without ACK, -1 without
    ]
)


class Batch(NamedTuple):
    """Sessions that left the table: the columns of Sessions, and what was left out or left early."""

    columns: dict[str, Any]
    packets_without_payload: int
    early: int


class _Packets(NamedTuple):
    """What the table needs of segments: one row each, in order."""

    key: np.ndarray  # uint64 [n, 6]
    swapped: np.ndarray  # bool: the sender is end point b
    start: np.ndarray  # int64: the representation's bytes in the block's buffer
    stop: np.ndarray
    has_payload: np.ndarray  # bool
    time_ns: np.ndarray
    link_type: np.ndarray
    packets: np.ndarray
    number: np.ndarray  # int64: which packet of the capture, from 1
    syn: np.ndarray  # int64: sequence number of a TCP SYN without ACK, -1 for all others
    closes: np.ndarray  # bool: TCP FIN or RST

    def cut(self, begin: int, end: int) -> "_Packets":
        return _Packets(*(column[begin:end] for column in self))


class SessionTable:
    """Live sessions by key; of each only the first 784 bytes of its representation are held.

    Every INTERVAL segments those leave that are closed or idle; beyond MOST_LIVE_SESSIONS those
    longest without a packet leave early, and a later packet of theirs opens a new session.
    """

    def __init__(self, representation: Representation, unit: str, rules: SessionRules) -> None:
        self.representation = representation
        self.both_directions = unit == "session"
        self.rules = rules
        self.segments = 0
        self.opened = 0
        self._slots: dict[bytes, int] = {}
        self._keys = np.zeros((ROWS_AT_FIRST, 6), np.uint64)
        self._images = np.zeros((ROWS_AT_FIRST, IMAGE_BYTES), np.uint8)
        self._rows = np.zeros(ROWS_AT_FIRST, ROW_DTYPE)
        self._top = 0  # rows from here on were never used
        self._free = np.zeros(0, np.int64)  # rows below it that were given back
        self._lowest_time = LATEST_TIME  # of the segments since sessions last left
        self._ended: list[int] = []  # sessions that a rule has ended

    def add(self, block: Block, segments: Segments) -> Iterator[Batch]:
        """Takes in one block's segments, in order, and yields what leaves; overwrites parts of the block."""
        if not len(segments):
            return
        packets = self._packets(block, segments)
        at = 0
        while at < len(segments):
            to = min(len(segments), at + INTERVAL - self.segments % INTERVAL)
            self._add(block, packets.cut(at, to))
            self.segments += to - at
            at = to
            if self.segments % INTERVAL == 0:
                yield from self._leave(self._waited())

    def due(self) -> Iterator[Batch]:
        """Of live traffic: the sessions whose image is full, once each, and those that are idle by the clock."""
        rows = self._rows[: self._top]
        full = np.flatnonzero((rows["bytes"] >= IMAGE_BYTES) & (rows["told"] == 0) & (rows["packets"] > 0))
        if len(full):
            full = full[np.argsort(rows["opened"][full])]
            yield self._batch(full, full, self._images[full])
            rows["told"][full] = 1
        yield from self._leave(time.monotonic_ns() - rows["arrived"])

    def finish(self) -> Iterator[Batch]:
        """All sessions that are still here, in order of their first packet; the table is done for then.

        They come at once, unless rows were used again: then they must be copied, some at a time.
        """
        slots = np.flatnonzero(self._rows["packets"][: self._top])
        slots = slots[np.argsort(self._rows["opened"][slots])]
        if np.all(np.diff(slots) > 0):
            chosen = self._with_image(slots)
            yield self._batch(slots, chosen, self._shrunk(chosen))
            return
        for some in np.array_split(slots, -(-len(slots) // COPIED_AT_ONCE)):
            yield self._take(some)

    def _packets(self, block: Block, segments: Segments) -> _Packets:
        key, swapped = keys_of(segments, self.both_directions)
        flags, syn = np.zeros(len(segments), np.uint8), np.full(len(segments), -1)
        if self.rules.tcp_close:
            tcp = np.flatnonzero((segments.protocol == TCP) & (segments.transport + TCP_FLAGS < segments.end))
            flags[tcp] = np.frombuffer(block.buffer, np.uint8)[segments.transport[tcp] + TCP_FLAGS]
            opening = np.flatnonzero(flags & (SYN | ACK) == SYN)
            syn[opening] = gather(block.buffer, segments.transport[opening] + 4, ">u4")
        has_payload = segments.end > segments.payload
        start, stop = self.representation.slices(block, segments)
        return _Packets(
            key,
            swapped,
            start,
            stop,
            has_payload,
            block.time_ns[segments.rows],
            block.link_type[segments.rows],
            segments.packets,
            segments.number,
            syn,
            flags & (FIN | RST) != 0,
        )

    def _add(self, block: Block, packets: _Packets) -> None:
        self._lowest_time = min(self._lowest_time, int(packets.time_ns.min()))
        slots = self._find(packets)
        if self.rules.idle_timeout or self.rules.active_timeout or self.rules.tcp_close:
            self._divide(slots, packets)
        rows = self._rows
        order = _order(slots)
        begins = np.flatnonzero(np.diff(slots[order], prepend=-1))
        sizes = np.diff(begins, append=len(order))
        groups, latest = slots[order[begins]], order[begins + sizes - 1]
        rows["packets"][groups] += np.add.reduceat(packets.packets[order], begins)
        rows["payloads"][groups] += np.add.reduceat(packets.has_payload[order], begins, dtype=np.int64)
        times = packets.time_ns[order]
        extremes = [("first", np.minimum, times), ("last", np.maximum, times)]
        if self.rules.tcp_close:
            extremes.append(("closed", np.minimum, np.where(packets.closes[order], times, LATEST_TIME)))
            opening = np.flatnonzero(packets.syn >= 0)
            rows["syn"][slots[opening]] = packets.syn[opening]  # of several the latest, as NumPy promises
        for column, extreme, values in extremes:
            rows[column][groups] = extreme(rows[column][groups], extreme.reduceat(values, begins))
        rows["previous"][groups] = packets.time_ns[latest]
        rows["recent"][groups] = self.segments + latest
        rows["last_packet"][groups] = packets.number[latest]
        rows["arrived"][groups] = time.monotonic_ns()
        if self.representation.sender_at is not None:
            by_responder = packets.swapped != rows["initiator"][slots]
            sender = np.where(by_responder, SENT_BY_RESPONDER, SENT_BY_INITIATOR).astype(np.uint8)
            np.frombuffer(block.buffer, np.uint8)[packets.start + self.representation.sender_at] |= sender
        if self.representation.size_at is not None:
            said = gather(block.buffer, packets.start + self.representation.size_at, ">u2")
            rows["size"][groups] += np.add.reduceat(said[order], begins, dtype=np.int64)
        self._copy(block, packets, order, groups, begins, sizes)

    def _find(self, packets: _Packets) -> np.ndarray:
        """Each packet's slot, int64 [n]; opens sessions that are new."""
        key = packets.key
        hashes = hashes_of(key) >> np.uint64(PLACE_BITS)
        order = _order(hashes)
        ordered = hashes[order]
        is_first = np.append(True, ordered[1:] != ordered[:-1])
        first, inverse = order[is_first], np.empty(len(order), np.int64)
        inverse[order] = np.cumsum(is_first) - 1
        if not np.array_equal(key[first[inverse]], key):
            _, first, inverse = np.unique(key.view("V48").reshape(-1), return_index=True, return_inverse=True)
        slots = np.fromiter(map(self._slots.get, packed(key[first]), repeat(-1)), np.int64, len(first))
        new = np.flatnonzero(slots < 0)
        new = new[np.argsort(first[new])]
        slots[new] = self._open(first[new], packets)
        return slots[inverse]

    def _open(self, begins: np.ndarray, packets: _Packets) -> np.ndarray:
        """Opens a session with each of these packets; returns their slots."""
        count = len(begins)
        given_back, self._free = self._free[:count], self._free[count:]
        fresh = count - len(given_back)
        slots = np.concatenate([given_back, np.arange(self._top, self._top + fresh)])
        self._top += fresh
        self._reserve(self._top)
        self.opened += count
        key, times = packets.key[begins], packets.time_ns[begins]
        self._slots.update(zip(packed(key), slots.tolist(), strict=True))
        self._keys[slots] = key
        self._rows["opened"][slots] = self.segments + begins
        self._rows["first_packet"][slots] = packets.number[begins]
        self._rows["initiator"][slots] = packets.swapped[begins]
        for column in ("begun", "previous", "first", "last"):
            self._rows[column][slots] = times
        self._rows["closed"][slots], self._rows["syn"][slots] = LATEST_TIME, -1
        link_types = packets.link_type[begins]
        for link_type in np.unique(link_types).tolist():
            header = np.frombuffer(self.representation.header(link_type), np.uint8)
            chosen = slots[link_types == link_type]
            self._images[chosen, : len(header)] = header
            self._rows["bytes"][chosen] = len(header)
        return slots

    def _reserve(self, rows: int) -> None:
        """Beyond the first few rows there is room for the most at once: the system gives memory to what is written."""
        if rows <= len(self._images):
            return
        # A key is written before it is read; zeros for so few bytes would be written, not asked of the system.
        for name, make in (("_keys", np.empty), ("_images", np.zeros), ("_rows", np.zeros)):
            few = getattr(self, name)
            many = make((max(rows, MOST_LIVE_SESSIONS), *few.shape[1:]), few.dtype)
            many[: len(few)] = few
            setattr(self, name, many)

    def _divide(self, slots: np.ndarray, packets: _Packets) -> None:
        """Where a rule ends a session, its packets from there on get a new slot, in place.

        Only sessions in which a rule may apply are looked at one by one.
        """
        idle, active = (round(seconds * 1e9) for seconds in (self.rules.idle_timeout, self.rules.active_timeout))
        order = _order(slots)
        sorted_slots, time = slots[order], packets.time_ns[order]
        begins = np.diff(sorted_slots, prepend=-1) != 0
        previous = np.where(begins, self._rows["previous"][sorted_slots], np.roll(time, 1))
        suspicious = np.zeros(len(order), bool)
        if idle:
            suspicious |= time - previous > idle
        if active:
            suspicious |= time - self._rows["begun"][sorted_slots] > active
        if self.rules.tcp_close:
            closes = packets.closes[order].astype(np.int64)
            closed_before = np.cumsum(closes) - closes
            in_group = closed_before - np.repeat(
                closed_before[begins], np.diff(np.flatnonzero(begins), append=len(order))
            )
            is_closed = (in_group > 0) | (self._rows["closed"][sorted_slots] < LATEST_TIME)
            suspicious |= (packets.syn[order] >= 0) & is_closed
        for slot in np.unique(sorted_slots[suspicious]).tolist():
            left, right = np.searchsorted(sorted_slots, [slot, slot + 1])
            begun, latest, closed, syn = (
                int(self._rows[name][slot]) for name in ("begun", "previous", "closed", "syn")
            )
            current = slot
            for row in order[left:right].tolist():
                now, its_syn = int(packets.time_ns[row]), int(packets.syn[row])
                # A SYN that was sent twice, or that the capture has too late, opens nothing.
                is_new_connection = its_syn >= 0 and its_syn != syn and now >= closed
                if (idle and now - latest > idle) or (active and now - begun > active) or is_new_connection:
                    self._ended.append(current)
                    current = int(self._open(np.array([row]), packets)[0])
                    begun, closed, syn = now, LATEST_TIME, -1
                slots[row] = current
                latest = now
                closed = min(closed, now) if packets.closes[row] else closed
                syn = its_syn if its_syn >= 0 else syn

    def _copy(
        self,
        block: Block,
        packets: _Packets,
        order: np.ndarray,
        groups: np.ndarray,
        begins: np.ndarray,
        sizes: np.ndarray,
    ) -> None:
        """Appends each packet's bytes to its session's image, up to 784, and counts them all."""
        start = packets.start[order]
        length = packets.stop[order] - start
        before = np.cumsum(length) - length
        offset = before + np.repeat(self._rows["bytes"][groups] - before[begins], sizes)
        self._rows["bytes"][groups] += np.add.reduceat(length, begins)
        wanted = np.flatnonzero((offset < IMAGE_BYTES) & (length > 0))
        offset = offset[wanted]
        target = np.repeat(groups, sizes)[wanted] * IMAGE_BYTES + offset
        source, size = start[wanted], np.minimum(length[wanted], IMAGE_BYTES - offset)
        images, buffer = memoryview(self._images.data).cast("B"), memoryview(block.buffer)
        for to, to_end, at, end in zip(
            target.tolist(), (target + size).tolist(), source.tolist(), (source + size).tolist(), strict=True
        ):
            images[to:to_end] = buffer[at:end]

    def _waited(self) -> np.ndarray:
        """Since each session's latest packet, as seen from every recent one, for times may jump: ns, int64 [n]."""
        now, self._lowest_time = self._lowest_time, LATEST_TIME
        return now - self._rows["previous"][: self._top]

    def _leave(self, waited: np.ndarray) -> Iterator[Batch]:
        """What has ended or is idle; and, without room for another INTERVAL, what is longest without a packet.

        waited: since each session's latest packet, ns, int64 [n].
        """
        rows = self._rows[: self._top]
        leaving = np.zeros(self._top, bool)
        leaving[self._ended] = True
        self._ended = []
        if self.rules.idle_timeout:
            leaving |= (rows["packets"] > 0) & (waited > self.rules.idle_timeout * 1e9)
        if leaving.any():
            yield self._take(np.flatnonzero(leaving))
        occupied = np.flatnonzero(rows["packets"])
        if len(occupied) > MOST_LIVE_SESSIONS - INTERVAL:
            longest = occupied[np.argpartition(rows["recent"][occupied], LEAVE_EARLY)[:LEAVE_EARLY]]
            longest = longest[np.argsort(rows["opened"][longest])]
            for some in np.array_split(longest, -(-LEAVE_EARLY // COPIED_AT_ONCE)):
                yield self._take(some, early=True)

    def _take(self, slots: np.ndarray, early: bool = False) -> Batch:
        """Takes sessions out of the table, in order of their first packet, and gives their rows back."""
        slots = slots[np.argsort(self._rows["opened"][slots])]
        for key, slot in zip(packed(self._keys[slots]), slots.tolist(), strict=True):
            if self._slots.get(key) == slot:
                del self._slots[key]
        chosen = self._with_image(slots)
        batch = self._batch(slots, chosen, self._images[chosen], early)
        self._images[slots] = 0
        self._rows[slots] = 0
        self._free = np.concatenate([self._free, slots])
        return batch

    def _with_image(self, slots: np.ndarray) -> np.ndarray:
        """The sessions that the representation has an image of, without those that were handed on."""
        return slots[self._has_image(slots) & (self._rows["told"][slots] == 0)]

    def _has_image(self, slots: np.ndarray) -> np.ndarray:
        return self._rows["payloads"][slots] > 0 if self.representation.needs_payload else np.ones(len(slots), bool)

    def _shrunk(self, rows: np.ndarray) -> np.ndarray:
        """The images of these ascending rows, moved to the front of their own memory; a copy would double it."""
        for begin in range(0, len(rows), MOVED_AT_ONCE):
            moved = rows[begin : begin + MOVED_AT_ONCE]
            if moved[-1] >= begin + len(moved):
                self._images[begin : begin + len(moved)] = self._images[moved]
        images, self._images = self._images, np.zeros((0, IMAGE_BYTES), np.uint8)
        images.resize((len(rows), IMAGE_BYTES), refcheck=False)
        return images

    def _batch(self, slots: np.ndarray, chosen: np.ndarray, images: np.ndarray, early: bool = False) -> Batch:
        rows = self._rows[chosen]
        columns = {
            "images": images.reshape(-1, 28, 28),
            "key": key_column(self._keys[chosen]),
            "initiator": rows["initiator"].astype(np.uint8),
            "first_time": rows["first"] / 1e9,
            "last_time": rows["last"] / 1e9,
            "packets": rows["packets"].copy(),
            "num_bytes": rows["bytes" if self.representation.size_at is None else "size"].copy(),
            "first_packet": rows["first_packet"].copy(),
            "last_packet": rows["last_packet"].copy(),
        }
        left_out = int(self._rows["packets"][slots[~self._has_image(slots)]].sum())
        return Batch(columns, left_out, len(slots) if early else 0)


def _order(values: np.ndarray) -> np.ndarray:
    """A stable argsort, int64 [n], of at most INTERVAL whole numbers of 64 - PLACE_BITS bits.

    NumPy sorts numbers several times as fast as places: so the numbers carry their places.
    """
    carried = values.astype(np.uint64) << np.uint64(PLACE_BITS) | np.arange(len(values), dtype=np.uint64)
    carried.sort()
    return (carried & np.uint64((1 << PLACE_BITS) - 1)).astype(np.int64)
