from pathlib import Path

import pytest

from clgan_tf.common.files import written_aside

FULL = Path("/dev/full")  # Linux's: every write fails as on a full disk


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_an_error_of_a_full_disk_names_the_file_and_leaves_nothing(tmp_path):
    path = tmp_path / "labels.jsonl"

    def write() -> None:
        with written_aside(path) as aside:
            aside.symlink_to(FULL)
            aside.write_text("some")

    with pytest.raises(OSError, match="No space left") as error:
        write()
    assert error.value.filename == str(path)
    assert not list(tmp_path.iterdir())


def test_where_a_directory_stands_the_error_names_it_and_nothing_is_left_beside(tmp_path):
    (tmp_path / "labels.jsonl").mkdir()

    def write() -> None:
        with written_aside(tmp_path / "labels.jsonl") as aside:
            aside.write_text("some")

    with pytest.raises(OSError, match="directory") as error:
        write()
    assert error.value.filename == str(tmp_path / "labels.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["labels.jsonl"]
