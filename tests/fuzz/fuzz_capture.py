"""Coverage-guided fuzzing of readers, decoder and sessions with atheris.

    python tests/fuzz/fuzz_capture.py -max_total_time=600 [NEW_INPUTS_FOLDER] tests/fuzz/corpus

Stops at the first input that raises anything but CaptureError, takes more than 10 seconds, or makes the process
allocate 256 MB more than it had, and writes that input to crash-*. Any option of libFuzzer can be given.
"""

import resource
import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent))

with atheris.instrument_imports(include=["clgan_tf.capture", "target"]):
    import target

MOST_BYTES = 256 << 20


def run(data: bytes, scratch: Path) -> None:
    """One input, under a limit that counts from what the process, fuzzer and all, uses at this moment."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MOST_BYTES, resource.RLIM_INFINITY))
    try:
        target.run(data, scratch)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def main() -> None:
    """Runs until libFuzzer's own limits say stop."""
    folder = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    with tempfile.NamedTemporaryFile(dir=folder) as scratch:
        path = Path(scratch.name)
        # The process grows by itself, some kilobytes an input, so libFuzzer's own limit would end it after minutes.
        atheris.Setup(
            [sys.argv[0], "-timeout=10", "-max_len=4096", "-rss_limit_mb=0", *sys.argv[1:]],
            lambda data: run(data, path),
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
