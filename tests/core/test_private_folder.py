"""What we make for ourselves nobody else may enter, at any level and under any umask."""

import os
import stat

import pytest

from orchestrator.core.private_folder import (
    anybody_may_write,
    check_folder_of,
    make_private_file,
    make_private_folder,
    planted,
    replace_private_file,
    write_new_private_file,
)
from tests.support.unprivileged import NOBODY


@pytest.fixture(params=[0o000, 0o002, 0o022])
def umask(request):
    before = os.umask(request.param)
    yield
    os.umask(before)


def test_every_level_that_is_made_is_private_and_what_was_there_stays(tmp_path, umask):
    (tmp_path / "there").mkdir()
    (tmp_path / "there").chmod(0o755)
    make_private_folder(tmp_path / "there" / "a" / "b")
    make_private_folder(tmp_path / "there" / "a" / "b")
    modes = [stat.S_IMODE(path.stat().st_mode) for path in sorted(tmp_path.rglob("*"))]
    assert modes == [0o755, 0o700, 0o700]


def test_a_file_is_for_its_owner_whether_it_is_made_or_was_there(tmp_path, umask):
    (tmp_path / "b").write_text("kept")
    (tmp_path / "b").chmod(0o644)
    for name in ("a", "b"):
        make_private_file(tmp_path / name)
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert (tmp_path / "b").read_text() == "kept"


def test_a_file_in_the_way_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises(OSError, match="File exists|Not a directory"):
            make_private_folder(folder)


def test_a_new_file_is_private_and_written_through_no_link(tmp_path, umask):
    write_new_private_file(tmp_path / "a", b"words")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "another's")
    for name in ("a", "link"):
        with pytest.raises(FileExistsError):
            write_new_private_file(tmp_path / name, b"other words")
    assert (tmp_path / "a").read_bytes() == b"words"
    assert not (tmp_path / "another's").exists()


@pytest.mark.parametrize(("mode", "may"), [(0o700, False), (0o775, False), (0o757, True), (0o1777, True)])
def test_a_folder_says_whether_anybody_may_write_it(tmp_path, mode, may):
    tmp_path.chmod(mode)
    assert anybody_may_write(tmp_path) is may


def test_a_private_file_takes_the_place_of_a_link_and_not_of_what_it_leads_to(tmp_path):
    other, path = tmp_path / "other", tmp_path / "file"
    other.write_bytes(b"another's")
    path.symlink_to(other)
    for content in (b"old", b"new"):
        replace_private_file(path, content)
        assert (path.is_symlink(), path.read_bytes()) == (False, content)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert other.read_bytes() == b"another's"
    assert sorted(tmp_path.iterdir()) == [path, other]


@pytest.mark.skipif(os.name == "nt", reason="there are no such rights")
def test_a_file_in_a_folder_that_everybody_may_write_is_anybodys(tmp_path):
    check_folder_of(tmp_path / "file")
    tmp_path.chmod(0o777)
    with pytest.raises(PermissionError) as refused:
        check_folder_of(tmp_path / "file")
    assert "chmod o-w" in str(refused.value.strerror)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="gives a folder to another user")
@pytest.mark.parametrize("mode", [0o777, 0o1777])
@pytest.mark.parametrize("as_link", [False, True])
def test_what_another_user_has_put_where_everybody_may_write_is_found(tmp_path, mode, as_link):
    theirs = tmp_path / "shared" / "home"
    real = tmp_path / "theirs" if as_link else theirs
    theirs.parent.mkdir()
    (real / "keys").mkdir(parents=True)
    if as_link:
        theirs.symlink_to(real)
    os.chown(theirs, NOBODY, NOBODY, follow_symlinks=False)
    file = theirs / "keys" / "a.json"
    theirs.parent.chmod(0o755)
    assert planted(file) is None, "only who may write the folder has put it there"
    theirs.parent.chmod(mode)
    assert planted(file) == theirs
    with pytest.raises(PermissionError) as refused:
        check_folder_of(file)
    assert f"another user of this machine has put {theirs} there" in str(refused.value.strerror)
    os.chown(theirs, 0, 0, follow_symlinks=False)
    assert planted(file) is None
