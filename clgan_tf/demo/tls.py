"""Real TLS conversations: Python's ssl on both sides, joined by memory buffers instead of a network."""

import datetime
import random
import ssl
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from clgan_tf.demo.conversation import CLIENT, SERVER, Message

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@dataclass(frozen=True)
class ClientProfile:
    """How one kind of client program sets up TLS."""

    lowest: ssl.TLSVersion = TLS12
    highest: ssl.TLSVersion = TLS13
    ciphers: str = "DEFAULT"
    protocols: tuple[str, ...] = ()  # ALPN
    resumes: bool = False  # offers the session of an earlier connection
    certificate: str = "ec"  # what its servers use


PROFILES = {
    "browser": ClientProfile(protocols=("h2", "http/1.1")),
    "browser_returning": ClientProfile(protocols=("h2", "http/1.1"), resumes=True),
    "mobile": ClientProfile(lowest=TLS13, protocols=("h2",)),
    "messenger": ClientProfile(lowest=TLS13, ciphers="ECDHE+CHACHA20"),
    "desktop_legacy": ClientProfile(highest=TLS12, ciphers="ECDHE+AESGCM:RSA+AESGCM", certificate="rsa"),
    "mail": ClientProfile(ciphers="ECDHE+AESGCM:ECDHE+CHACHA20", certificate="rsa"),
    "mail_returning": ClientProfile(highest=TLS12, ciphers="HIGH:!aNULL", resumes=True, certificate="rsa"),
    "uploader": ClientProfile(ciphers="HIGH:!aNULL", protocols=("http/1.1",), certificate="rsa"),
    "player": ClientProfile(ciphers="ECDHE+AESGCM", protocols=("http/1.1",)),
    "peer": ClientProfile(highest=TLS12, ciphers="ECDHE+CHACHA20:ECDHE+AES256"),
}


def conversation(
    rng: random.Random, profile_name: str, server_name: str, exchanges: list[tuple[int, int]]
) -> list[Message]:
    """A handshake and then application records: (who, how many bytes) each, random content.

    Structure follows `rng`; OpenSSL's own randomness (keys, nonces) cannot be seeded.
    """
    profile = PROFILES[profile_name]
    earlier = _earlier_session(profile_name) if profile.resumes else None
    messages, *_ = _talk(profile_name, server_name, [(who, rng.randbytes(size)) for who, size in exchanges], earlier)
    return messages


def _talk(
    profile_name: str, server_name: str, exchanges: list[tuple[int, bytes]], earlier: ssl.SSLSession | None = None
) -> tuple[list[Message], ssl.SSLObject]:
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = _client_context(profile_name).wrap_bio(to_client, to_server, server_hostname=server_name, session=earlier)
    server = _server_context(PROFILES[profile_name].certificate).wrap_bio(to_server, to_client, server_side=True)
    # Each side's outgoing buffer is the other's incoming one: what is in it is recorded on its way.
    messages: list[Message] = []

    def record(speaker: int) -> None:
        buffer = to_server if speaker == CLIENT else to_client
        if data := buffer.read():
            messages.append((speaker, data))
            buffer.write(data)

    open_sides = {CLIENT: client, SERVER: server}
    while open_sides:
        for speaker in list(open_sides):
            try:
                open_sides[speaker].do_handshake()
                del open_sides[speaker]
            except ssl.SSLWantReadError:
                pass
            record(speaker)
    for speaker, data in [(SERVER, b""), *exchanges]:
        sender, receiver = (client, server) if speaker == CLIENT else (server, client)
        if data:
            sender.write(data)
            record(speaker)
        try:  # The first turn only lets the client take the server's session tickets.
            while receiver.read(1 << 16):
                pass
        except ssl.SSLWantReadError:
            pass
    return messages, client


@cache
def _earlier_session(profile_name: str) -> ssl.SSLSession | None:
    _, client = _talk(profile_name, "cdn.example.net", [(CLIENT, b"x"), (SERVER, b"y")])
    return client.session


@cache
def _client_context(profile_name: str) -> ssl.SSLContext:
    profile = PROFILES[profile_name]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # Our own throw-away server is on the other side.
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version, context.maximum_version = profile.lowest, profile.highest
    context.set_ciphers(profile.ciphers)
    if profile.protocols:
        context.set_alpn_protocols(list(profile.protocols))
    return context


@cache
def _server_context(kind: str) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "example.net")])
    start = datetime.datetime(2026, 1, 1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with tempfile.TemporaryDirectory() as folder:  # ssl loads certificates from files only
        path = Path(folder) / "server.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context.load_cert_chain(path)
    return context
