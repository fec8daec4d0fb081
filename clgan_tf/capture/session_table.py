"""The sessions of one capture while it is read: which packet belongs to which, and the bytes kept of each."""

import numpy as np

from clgan_tf.capture.blocks import Block
from clgan_tf.capture.headers import Segments
from clgan_tf.capture.representation import IMAGE_BYTES, Representation

KEY_DTYPE = np.dtype(
    [
        ("version", np.uint8),  # 4 or 6
        ("protocol", np.uint8),  # 6 = TCP, 17 = UDP
        ("address_a", np.uint8, 16),  # network order; IPv4 fills the first four bytes
        ("port_a", np.uint16),
        ("address_b", np.uint8, 16),
        ("port_b", np.uint16),
    ]
)

ROWS_AT_FIRST = 1024
ROWS_AT_MOST_RESERVED = 1 << 20  # 0.8 GB of address space; beyond it the table doubles
# Odd 64-bit constants that spread a key's words over a hash; equal hashes of different keys are found and set apart.
MULTIPLIERS = np.array(
    [
        0x9E3779B97F4A7C15,
        0xBF58476D1CE4E5B9,
        0x94D049BB133111EB,
        0xD6E8FEB86659FD93,
        0xA0761D6478BD642F,
        0xE7037ED1A0B428DB,
    ],
    np.uint64,
)


class SessionTable:
    """Sessions by key, in order of first packet; of each only the first 784 bytes of its representation are held."""

    def __init__(self, representation: Representation, unit: str, expected: int = 0) -> None:
        """`expected`: room for so many sessions is reserved at once; untouched room takes no memory."""
        rows = min(max(expected, ROWS_AT_FIRST), ROWS_AT_MOST_RESERVED)
        self.representation = representation
        self.both_directions = unit == "session"
        self.slots: dict[bytes, int] = {}
        self.keys: list[np.ndarray] = []  # uint64 [new sessions, 6] a block
        self.images = np.zeros((rows, IMAGE_BYTES), np.uint8)
        self.numbers = np.zeros((rows, len(_NUMBERS)), np.int64)

    def __len__(self) -> int:
        return len(self.slots)

    def add(self, block: Block, segments: Segments) -> None:
        """Takes in one block's segments, in order; overwrites parts of the block."""
        if not len(segments.rows):
            return
        keys, swapped = self._keys(segments)
        slots, begin = self._slots(keys)
        fresh, rows = np.arange(len(self) - len(begin), len(self)), segments.rows
        has_payload = segments.end > segments.payload
        start, stop = self.representation.slices(block, segments)
        headers = self._open(fresh, block.link_type[rows[begin]])
        times = block.time_ns[rows]
        self.numbers[fresh, _FIRST] = self.numbers[fresh, _LAST] = times[begin]
        self.numbers[fresh, _INITIATOR] = swapped[begin]
        self.numbers[fresh, _BYTES] = headers
        count = len(self)
        self.numbers[:count, _PACKETS] += np.bincount(slots, minlength=count)
        self.numbers[:count, _PAYLOADS] += np.bincount(slots, has_payload, minlength=count).astype(np.int64)
        np.maximum.at(self.numbers[:, _LAST], slots, times)
        self._copy(block, slots, start, stop)

    def _keys(self, segments: Segments) -> tuple[np.ndarray, np.ndarray]:
        """uint64 [n, 6]: both addresses, ports, protocol and version; and whether the end points were swapped."""
        source, destination = segments.source, segments.destination
        swapped = np.zeros(len(source), bool)
        if self.both_directions:
            for word in (2, 1, 0):  # the most significant word decides last
                differs = source[:, word] != destination[:, word]
                swapped = np.where(differs, destination[:, word] < source[:, word], swapped)
        low = np.where(swapped[:, np.newaxis], destination, source)
        high = np.where(swapped[:, np.newaxis], source, destination)
        keys = np.empty((len(low), 6), np.uint64)
        keys[:, 0:2], keys[:, 2:4] = low[:, :2], high[:, :2]
        keys[:, 4] = low[:, 2] << np.uint64(16) | high[:, 2]
        keys[:, 5] = segments.protocol << np.uint64(8) | segments.version
        return keys, swapped

    def _slots(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each packet's slot, int64 [n]; and for every new slot, in order, the packet it begins with."""
        hashes = (keys * MULTIPLIERS).sum(axis=1, dtype=np.uint64)
        hashes ^= hashes >> np.uint64(31)
        _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
        if not np.array_equal(keys[first[inverse]], keys):
            _, first, inverse = np.unique(keys.view("V48").reshape(-1), return_index=True, return_inverse=True)
        slot_of = np.empty(len(first), np.int64)
        begins = []
        packed = keys[first].tobytes()
        for group in np.argsort(first).tolist():
            key = packed[48 * group : 48 * group + 48]
            slot = self.slots.get(key)
            if slot is None:
                slot = self.slots[key] = len(self.slots)
                begins.append(first[group])
            slot_of[group] = slot
        begins_at = np.array(begins, np.int64)
        self.keys.append(keys[begins_at])
        return slot_of[inverse], begins_at

    def _open(self, fresh: np.ndarray, link_types: np.ndarray) -> int:
        """Makes room for new slots and writes what opens their sessions; returns its length."""
        needed = len(self)
        if needed > len(self.images):
            room = max(needed, 2 * len(self.images)) - len(self.images)
            self.images = np.concatenate([self.images, np.zeros((room, IMAGE_BYTES), np.uint8)])
            self.numbers = np.concatenate([self.numbers, np.zeros((room, len(_NUMBERS)), np.int64)])
        length = 0
        for link_type in np.unique(link_types).tolist():
            header = np.frombuffer(self.representation.header(link_type), np.uint8)
            length = len(header)
            self.images[fresh[link_types == link_type], :length] = header
        return length

    def _copy(self, block: Block, slots: np.ndarray, start: np.ndarray, stop: np.ndarray) -> None:
        """Appends each packet's bytes to its session's image, up to 784, and counts them all."""
        order = np.argsort(slots, kind="stable")
        slots, start, length = slots[order], start[order], (stop - start)[order]
        before = np.cumsum(length) - length
        begins = np.flatnonzero(np.diff(slots, prepend=-1))
        group_sizes = np.diff(begins, append=len(slots))
        place = before - np.repeat(before[begins], group_sizes) + self.numbers[slots, _BYTES]
        np.add.at(self.numbers[:, _BYTES], slots, length)
        wanted = np.flatnonzero((place < IMAGE_BYTES) & (length > 0))
        target = slots[wanted] * IMAGE_BYTES + place[wanted]
        size = np.minimum(length[wanted], IMAGE_BYTES - place[wanted])
        source = start[wanted]
        images, buffer = memoryview(self.images.data).cast("B"), memoryview(block.buffer)
        for to, at, count in zip(target.tolist(), source.tolist(), size.tolist(), strict=True):
            images[to : to + count] = buffer[at : at + count]

    def columns(self) -> tuple[dict[str, np.ndarray], int]:
        """The columns of Sessions but `capture`; and how many packets are in sessions without payload, left out."""
        count = len(self)
        numbers, images = self.numbers[:count], self.images[:count]
        keys = np.concatenate(self.keys) if self.keys else np.zeros((0, 6), np.uint64)
        left_out = 0
        if self.representation.name == "l7":
            kept = numbers[:, _PAYLOADS] > 0
            left_out = int(numbers[~kept, _PACKETS].sum())
            numbers, images, keys = numbers[kept], images[kept], keys[kept]
        return {
            "images": images.reshape(-1, 28, 28).copy(),  # a view would keep all the room that was reserved
            "key": _key_column(keys),
            "initiator": numbers[:, _INITIATOR].astype(np.uint8),
            "first_time": numbers[:, _FIRST] / 1e9,
            "last_time": numbers[:, _LAST] / 1e9,
            "packets": numbers[:, _PACKETS].copy(),
            "num_bytes": numbers[:, _BYTES].copy(),
        }, left_out


_NUMBERS = ("initiator", "first", "last", "packets", "bytes", "payloads")
_INITIATOR, _FIRST, _LAST, _PACKETS, _BYTES, _PAYLOADS = range(len(_NUMBERS))


def _key_column(keys: np.ndarray) -> np.ndarray:
    column = np.zeros(len(keys), KEY_DTYPE)
    column["version"], column["protocol"] = keys[:, 5] & np.uint64(0xFF), keys[:, 5] >> np.uint64(8)
    column["port_a"], column["port_b"] = keys[:, 4] >> np.uint64(16), keys[:, 4] & np.uint64(0xFFFF)
    four = column["version"] == 4
    for name, first in (("address_a", 0), ("address_b", 2)):
        addresses = keys[:, first : first + 2].astype(">u8").view(np.uint8).reshape(-1, 16)
        addresses[four, :4] = addresses[four, 12:]  # IPv4 fills the first four bytes
        addresses[four, 4:] = 0
        column[name] = addresses
    return column
