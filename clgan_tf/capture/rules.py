"""What makes packets one session, beyond the 5-tuple."""

from dataclasses import dataclass

from clgan_tf.common.setting import Settings, setting

TUNNELS = ("outer", "inner")
LONGEST = 1_000_000_000  # seconds: 31 years


@dataclass(frozen=True)
class SessionRules(Settings):
    """Rules of grouping; the defaults are those of the published layouts, which know no end of a session.

    tunnels: "outer" takes a packet's outermost TCP or UDP segment, "inner" looks into GRE, IP in IP, 6in4,
      VXLAN, Geneve and others, as `tunnels` knows them, for the innermost.
    idle_timeout: a packet that comes more than so many seconds after its session's previous one opens a new
      session; 0 = never.
    active_timeout: so does one that comes more than so many seconds after its session's first; 0 = never.
    tcp_close: so does a TCP SYN without ACK after a FIN or RST (RFC 9293 section 3.6).

    Raises:
      ConfigError: a value is out of range.
    """

    tunnels: str = setting(
        "Sessions around tunnels or inside them: GRE, VXLAN, GTP-U and others.", default="outer", choices=TUNNELS
    )
    idle_timeout: float = setting(
        "Seconds without a packet after which a new session begins; 0 = never.", default=0.0, least=0, most=LONGEST
    )
    active_timeout: float = setting(
        "Seconds after its first packet at which a new session begins; 0 = never.", default=0.0, least=0, most=LONGEST
    )
    tcp_close: bool = setting("A SYN after a FIN or RST begins a new session.", default=False)
