"""Why a packet belongs to no session: every packet that is read is used or counted under one of these."""

ARP = "arp"
NOT_IP = "not_ip"
NOT_TCP_OR_UDP = "not_tcp_or_udp"
TUNNEL = "tunnel"  # GRE or IP in IP, where tunnels are not looked into
ENCRYPTED_FRAME = "encrypted_frame"  # 802.11 with WEP or WPA: the network layer cannot be seen
INCOMPLETE_FRAGMENTS = "incomplete_ip_fragments"  # of a datagram that never became whole
OVERLAPPING_FRAGMENTS = "overlapping_ip_fragments"  # RFC 5722: such a datagram is forged or damaged
MALFORMED = "malformed_header"
TRUNCATED = "truncated_header"
UNKNOWN_LINK_TYPE = "unknown_link_type"
NO_PAYLOAD = "session_without_payload"  # l7 has no image of it

REASONS = (
    *(ARP, NOT_IP, NOT_TCP_OR_UDP, TUNNEL, ENCRYPTED_FRAME, INCOMPLETE_FRAGMENTS, OVERLAPPING_FRAGMENTS),
    *(MALFORMED, TRUNCATED, UNKNOWN_LINK_TYPE, NO_PAYLOAD),
)


class Unused(Exception):
    """A packet that belongs to no session, and why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
