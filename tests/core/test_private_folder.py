"""What we make for ourselves nobody else may enter, at any level and under any umask."""

import os
import stat

import pytest

from orchestrator.core.private_folder import make_private_folder


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


def test_a_file_in_the_way_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises(OSError, match="File exists|Not a directory"):
            make_private_folder(folder)
