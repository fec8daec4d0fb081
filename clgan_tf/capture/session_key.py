"""The key of a session: who talks to whom, as a few words that can be compared and hashed thousands at a time."""

import numpy as np

from clgan_tf.capture.packet_block import Segments

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

PROTOCOLS = {6: "TCP", 17: "UDP"}
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


def keys_of(segments: Segments, both_directions: bool) -> tuple[np.ndarray, np.ndarray]:
    """uint64 [n, 6]: both addresses, ports, protocol and version; and whether the end points were swapped, bool [n].

    both_directions: the lower end point comes first, so that both directions of a 5-tuple have one key.
    """
    source, destination = segments.source, segments.destination
    swapped = np.zeros(len(source), bool)
    if both_directions:
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


def hashes_of(keys: np.ndarray) -> np.ndarray:
    """uint64 [n]; different keys may share one."""
    hashes = (keys * MULTIPLIERS).sum(axis=1, dtype=np.uint64)
    return hashes ^ (hashes >> np.uint64(31))


def packed(keys: np.ndarray) -> list[bytes]:
    """The keys as 48 bytes each, for look-ups."""
    return np.ascontiguousarray(keys).view("V48").reshape(-1).tolist()


def key_column(keys: np.ndarray) -> np.ndarray:
    """The keys as Sessions have them: KEY_DTYPE [n]."""
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
