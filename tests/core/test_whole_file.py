"""A file is there whole, or as it was."""

import stat

import pytest

from orchestrator.core.whole_file import write_whole


def test_it_takes_the_place_of_what_was_there_and_leaves_nothing_beside(tmp_path):
    path = tmp_path / "made" / "file.json"
    for content in (b"old", b"new"):
        write_whole(path, content)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_where_it_cannot_be_written_what_was_there_stays(tmp_path, monkeypatch):
    path = tmp_path / "file.json"
    write_whole(path, b"old")

    def refuse(*_):
        raise OSError(28, "no space left on device")

    monkeypatch.setattr("pathlib.Path.replace", refuse)
    with pytest.raises(OSError, match="no space"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
