"""--mode=classify on what does not end by itself, run as people run it."""

import json
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from clgan_tf.common.errors import ConfigError
from clgan_tf.common.rotation import Rotation
from clgan_tf.main import main
from clgan_tf.serving import rows
from tests import packets as p


def record(port: int, moment: float) -> bytes:
    frame = p.ipv4(p.udp(b"live", port))
    return struct.pack("<IIII", int(moment), 0, len(frame), len(frame)) + frame


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for(count: int, path: Path, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while len(lines(path)) < count and time.monotonic() < until:
        time.sleep(0.1)
    assert len(lines(path)) == count


def begin(run_dir: Path, *flags: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "clgan_tf.main", "--mode=classify", f"--run_dir={run_dir}", *flags]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # A suite in the background ignores it.
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_file_grows_by_whole_rows_and_a_signal_ends_it_in_order(finished_run, tmp_path, number):
    output = tmp_path / "rows.jsonl"
    process = begin(finished_run, "--captures=-", f"--output={output}", "--idle_timeout=1")
    process.stdin.write(p.pcap([], 101) + b"".join(record(port, time.time()) for port in range(1000, 1020)))
    process.stdin.flush()
    wait_for(20, output)
    process.stdin.write(b"".join(record(port, time.time()) for port in range(2000, 2005)))
    process.stdin.flush()
    process.send_signal(number)
    assert process.wait(30) == 0
    assert [row["source_port"] for row in lines(output)] == [*range(1000, 1020), *range(2000, 2005)]
    assert b"25 sessions labelled to" in process.stderr.read()
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def row(number: int) -> dict:
    return dict.fromkeys(rows.COLUMNS, number) | {"top": []}


def test_a_stream_rotates_and_loses_no_row(tmp_path):
    for name in ("rows.jsonl", "rows.csv"):
        output = tmp_path / name
        assert rows.write_stream(map(row, range(100)), str(output), "1k") == 100
        files = sorted(tmp_path.glob(f"rows-*{output.suffix}"), key=lambda path: (len(path.name), path.name))
        assert len(files) > 2
        assert all(1000 <= path.stat().st_size < 1400 for path in files)
        found = [
            line
            for path in [*files, output]
            for line in path.read_text().splitlines()
            if "capture" not in line or ":" in line
        ]
        assert len(found) == 100


def test_a_stream_that_begins_again_keeps_what_stood_there(tmp_path):
    output = tmp_path / "new" / "rows.jsonl"
    assert rows.write_stream(map(row, range(3)), str(output)) == 3
    assert rows.write_stream(map(row, range(2)), str(output)) == 2
    assert rows.write_stream([], str(output)) == 0
    sizes = {len(path.read_text().splitlines()) for path in output.parent.iterdir()}
    assert sizes == {3, 2, 0}


def test_it_rotates_by_time(tmp_path):
    def slowly():
        for number in range(3):
            yield row(number)
            time.sleep(0.6)

    assert rows.write_stream(slowly(), str(tmp_path / "rows.jsonl"), "1s") == 3
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("text", ["1", "M", "9" * 400 + "G", "0k", "-1h", "1.5h", "1x", "\u00b2k"])
def test_other_rotations_are_refused(text, finished_run, capsys):
    with pytest.raises(ConfigError, match=re.escape("a size such as 100M (k, M, G) or a time such as 1h (s, m, h, d)")):
        Rotation.of(text)


def test_captures_or_an_interface(capsys, finished_run):
    for flags in ([], ["--captures=a.pcap", "--interface=lo"]):
        assert main(["--mode=classify", f"--run_dir={finished_run}", *flags]) == 2
        assert "needs --captures, or else --interface" in capsys.readouterr().err


def test_an_interface_that_is_not_there(capsys, finished_run):
    if not (shutil.which("dumpcap") or shutil.which("tcpdump")):
        pytest.skip("neither dumpcap nor tcpdump is installed")
    assert main(["--mode=classify", f"--run_dir={finished_run}", "--interface=none0"]) == 1
    assert "none0: " in capsys.readouterr().err


def test_without_a_program_that_captures(capsys, finished_run, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert main(["--mode=classify", f"--run_dir={finished_run}", "--interface=lo"]) == 1
    assert "needs dumpcap or tcpdump; install one" in capsys.readouterr().err


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: it makes the server's certificate")
    path = tmp_path / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
    subprocess.run([*command, "-keyout", path, "-out", tmp_path / "c.pem"], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + (tmp_path / "c.pem").read_bytes())
    return path


def test_real_tls_on_the_loopback_interface(finished_run, tmp_path, certificate):
    """Each of ten connections gets its row while the capture runs."""
    if not shutil.which("dumpcap") or subprocess.run(["dumpcap", "-D"], capture_output=True, check=False).returncode:
        pytest.skip("dumpcap is not installed, or may not capture")
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate)
    client_side = ssl.create_default_context(cafile=certificate)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]

    def serve() -> None:
        while True:
            connection, _ = listening.accept()
            with server_side.wrap_socket(connection, server_side=True) as secure:
                secure.sendall(secure.recv(100) * 100)

    threading.Thread(target=serve, daemon=True).start()
    output = tmp_path / "rows.jsonl"
    process = begin(finished_run, "--interface=lo", f"--output={output}", "--idle_timeout=2")
    until = time.monotonic() + 60
    while not any(one["destination_port"] == port for one in lines(output)) and time.monotonic() < until:
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            client_side.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            secure.sendall(b"hello")
            secure.recv(1 << 16)
        time.sleep(0.3)
    before = len(lines(output))
    assert before
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 0
    assert b"bug" not in told  # as dumpcap says of a pipe that is closed before it ends
    assert {one["capture"] for one in lines(output)} == {"lo"}
