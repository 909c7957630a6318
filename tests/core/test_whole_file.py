"""A file is there whole, or as it was."""

import os
import stat
import threading

import pytest

from orchestrator.core.whole_file import check_place, whole_file, write_whole


def test_it_takes_the_place_of_what_was_there_and_leaves_nothing_beside(tmp_path):
    path = tmp_path / "made" / "file.json"
    for content in (b"old", b"new"):
        write_whole(path, content)
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o027, 0o077])
def test_a_new_file_follows_the_umask_and_one_that_is_there_keeps_its_rights(tmp_path, umask):
    path = tmp_path / "policy.yaml"
    before = os.umask(umask)
    try:
        write_whole(path, b"new")
        assert stat.S_IMODE(path.stat().st_mode) == 0o644 & ~umask
        path.chmod(0o640)
        write_whole(path, b"newer")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        write_whole(path, b"a secret", mode=0o600)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


@pytest.mark.parametrize("name", ["n" * 255, "ờ" * 85], ids=["letters", "letters of three bytes"])
def test_a_name_may_be_as_long_as_the_disk_takes_it(tmp_path, name):
    path = tmp_path / name
    write_whole(path, b"all of it")
    check_place(path)
    assert path.read_bytes() == b"all of it"
    assert list(tmp_path.iterdir()) == [path]


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


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    path = tmp_path / "link"
    path.symlink_to(kept / "file.json")
    for content in (b"old", b"new"):
        write_whole(path, content)
        assert path.is_symlink()
        assert (kept / "file.json").read_bytes() == content
    assert list(kept.iterdir()) == [kept / "file.json"]


def test_what_is_no_regular_file_is_written_to_and_never_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    link = tmp_path / "link"
    link.symlink_to(pipe)
    for path in (pipe, link):
        read = []
        reader = threading.Thread(target=lambda read=read: read.append(pipe.read_bytes()))
        reader.start()
        write_whole(path, b"all of it")
        reader.join()
        assert read == [b"all of it"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert sorted(tmp_path.iterdir()) == [link, pipe]


def test_a_folder_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(IsADirectoryError), whole_file(tmp_path):
        pytest.fail("nothing is written")


def test_a_look_whether_it_may_be_written_changes_nothing(tmp_path, monkeypatch):
    """A file that may be written in a folder that may not be is told before, and not after minutes of work."""
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "page.html")
    check_place(link)
    assert list(tmp_path.iterdir()) == [link]
    assert link.is_symlink()

    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr("os.open", refuse)
    link.write_bytes(b"old")
    with pytest.raises(PermissionError):
        check_place(link)
    with pytest.raises(IsADirectoryError):
        check_place(tmp_path)


@pytest.mark.parametrize("make", [check_place, lambda path: write_whole(path, b"x")])
def test_a_folder_that_is_made_for_it_is_nobody_elses_to_write(tmp_path, make):
    before = os.umask(0)
    try:
        make(tmp_path / "a" / "b" / "file")
    finally:
        os.umask(before)
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (tmp_path / "a", tmp_path / "a" / "b")} == {
        0o755
    }
