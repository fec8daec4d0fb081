"""When a growing file is left for a new one."""

import re

from clgan_tf.common.errors import ConfigError

SIZES = {"k": 1e3, "M": 1e6, "G": 1e9}
TIMES = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Rotation:
    """After `size` bytes or `seconds`, at the first row from then on."""

    def __init__(self, size: float, seconds: float) -> None:
        self.size, self.seconds = size, seconds

    @classmethod
    def of(cls, text: str) -> "Rotation":
        """What a text says: "100M" bytes (k, M, G), "1h" (s, m, h, d), or "" for never.

        Raises:
          ConfigError: it is none of these.
        """
        if not text:
            return cls(float("inf"), float("inf"))
        parts = re.fullmatch(r"([1-9][0-9]{0,8})([kMGsmhd])", text)
        if not parts:
            raise ConfigError(
                f"--rotate takes a size such as 100M (k, M, G) or a time such as 1h (s, m, h, d), not {text!r}."
            )
        number, unit = int(parts[1]), parts[2]
        return cls(number * SIZES.get(unit, float("inf")), number * TIMES.get(unit, float("inf")))

    def is_due(self, size: int, seconds: float) -> bool:
        """Whether a file of so many bytes, begun so long ago, is to be left."""
        return size >= self.size or seconds >= self.seconds
