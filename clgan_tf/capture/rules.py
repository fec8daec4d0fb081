"""What makes packets one session, beyond the 5-tuple."""

from dataclasses import dataclass

from clgan_tf.errors import ConfigError

TUNNELS = ("outer", "inner")
LONGEST = 1_000_000_000  # seconds: 31 years


@dataclass(frozen=True)
class SessionRules:
    """Rules of grouping; the defaults are those of the published layouts, which know no end of a session.

    tunnels: "outer" takes a packet's outermost TCP or UDP segment, "inner" looks into GRE, IP in IP, 6in4,
      VXLAN, GTP-U and Teredo for the innermost.
    idle_timeout: a packet that comes more than so many seconds after its session's previous one opens a new
      session; 0 = never.
    active_timeout: so does one that comes more than so many seconds after its session's first; 0 = never.
    tcp_close: so does a TCP SYN without ACK after a FIN or RST (RFC 9293 section 3.6).

    Raises:
      ConfigError: a value is out of range.
    """

    tunnels: str = "outer"
    idle_timeout: float = 0.0
    active_timeout: float = 0.0
    tcp_close: bool = False

    def __post_init__(self) -> None:
        if self.tunnels not in TUNNELS:
            raise ConfigError(f"There is no tunnels={self.tunnels!r}; choose one of {', '.join(TUNNELS)}.")
        for name in ("idle_timeout", "active_timeout"):
            seconds = getattr(self, name)
            if not isinstance(seconds, int | float) or not 0 <= seconds <= LONGEST:
                raise ConfigError(f"{name} must be a number of seconds from 0 to {LONGEST:,}, not {seconds!r}.")
