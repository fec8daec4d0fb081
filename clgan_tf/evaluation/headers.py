"""Where the headers of a session's first packet lie in its image, and what numbers stand there."""

from typing import NamedTuple

import numpy as np

from clgan_tf.capture.representation import Beginning, Representation

PCAP_HEADER, RECORD_HEADER = 24, 16
FRAME = PCAP_HEADER + RECORD_HEADER  # where the first frame begins
ETHERNET, ETHERNET_HEADER = 1, 14  # link type, bytes


class Headers(NamedTuple):
    """Of each image, where its first packet's parts begin, int64 [n], and what they are, bool [n].

    length: what the IP header says of its packet (IPv4) or of what it carries (IPv6), int64 [n].
    """

    network: np.ndarray
    transport: np.ndarray
    payload: np.ndarray
    four: np.ndarray
    six: np.ndarray
    tcp: np.ndarray
    udp: np.ndarray
    length: np.ndarray

    @property
    def end(self) -> np.ndarray:
        """Where the packet ends, int64 [n]; it may be behind the image."""
        return self.network + np.where(self.four, self.length, 40 + self.length)


def headers_of(image: np.ndarray, representation: Representation) -> Headers:
    """Of images int64 [n, 784] in a representation that shows the IP header."""
    network = np.zeros(len(image), np.int64)
    if representation.begins_with is Beginning.CAPTURE_HEADER:
        network = np.where(link_type_of(image) == ETHERNET, FRAME + ETHERNET_HEADER, FRAME)
    version = at(image, network, 0) >> 4
    four = version == 4
    transport = network + np.where(four, (at(image, network, 0) & 15) * 4, 40)
    protocol = np.where(four, at(image, network, 9), at(image, network, 6))
    tcp = protocol == 6
    return Headers(
        network,
        transport,
        payload=transport + np.where(tcp, (at(image, transport, 12) >> 4) * 4, 8),
        four=four,
        six=version == 6,
        tcp=tcp,
        udp=protocol == 17,
        length=np.where(four, field(image, network, 2, 2), field(image, network, 4, 2)),
    )


def link_type_of(image: np.ndarray) -> np.ndarray:
    """LINKTYPE_ values int64 [n], where the pcap file header is shown."""
    return number(image, 20, 4)


def at(image: np.ndarray, begin: np.ndarray, offset: int) -> np.ndarray:
    """The byte at begin + offset of each row; 0 behind the image's end."""
    column = begin + offset
    values = image[np.arange(len(image)), np.minimum(column, image.shape[1] - 1)]
    return np.where(column < image.shape[1], values, 0)


def field(image: np.ndarray, begin: np.ndarray, first: int, size: int) -> np.ndarray:
    """The big-endian number of `size` bytes there."""
    value = np.zeros(len(image), np.int64)
    for offset in range(size):
        value = value << 8 | at(image, begin, first + offset)
    return value


def number(image: np.ndarray, first: int, size: int) -> np.ndarray:
    """That of `size` bytes from `first` on, int64 [n]."""
    return field(image, np.zeros(len(image), np.int64), first, size)
