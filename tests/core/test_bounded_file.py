"""Only plain files of a bounded size are read; nothing waits for a pipe."""

import os
from pathlib import Path

import pytest

from orchestrator.core.bounded_file import read_bounded


def test_a_plain_file_is_read_whole_also_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("a")
    assert read_bounded(tmp_path / "a", bytes_max=3) == b"abc"
    assert read_bounded(str(tmp_path / "link"), bytes_max=3) == b"abc"


@pytest.mark.skipif(os.name == "nt", reason="there are no such files")
def test_a_pipe_a_device_a_folder_and_a_large_file_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"abcd")
    (tmp_path / "vast").touch()
    os.truncate(tmp_path / "vast", 2**40)
    for name, why in {
        str(tmp_path / "pipe"): "no plain file",
        "/dev/zero": "no plain file",
        str(tmp_path): "directory",
        str(tmp_path / "large"): "larger than 3 bytes",
        str(tmp_path / "vast"): "larger than 3 bytes",
        str(tmp_path / "none"): "No such file",
    }.items():
        with pytest.raises(OSError) as caught:
            read_bounded(name, bytes_max=3)
        assert why in str(caught.value.strerror)


def test_what_grows_without_a_size_is_bounded() -> None:
    """Files of /proc say that they are empty."""
    if not Path("/proc/self/status").exists():
        pytest.skip("there is no /proc")
    assert b"VmRSS" in read_bounded("/proc/self/status", bytes_max=10**6)
    with pytest.raises(OSError, match="larger than 20 bytes"):
        read_bounded("/proc/self/status", bytes_max=20)
