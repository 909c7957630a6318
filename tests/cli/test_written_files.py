"""A file that an option names is written whole, with the rights that fit what it holds."""

import os
import stat

import pytest

from orchestrator.cli.output import CommandError
from orchestrator.cli.written_files import check_file, write_file, write_public_file


def test_what_holds_prompts_is_its_owners_and_what_tells_of_nobody_follows_the_umask(tmp_path):
    before = os.umask(0o022)
    try:
        for write, mode in ((write_file, 0o600), (write_public_file, 0o644)):
            path = tmp_path / write.__name__
            write("--html", path, "Xin chào")
            assert path.read_text(encoding="utf-8") == "Xin chào"
            assert stat.S_IMODE(path.stat().st_mode) == mode
    finally:
        os.umask(before)


def test_an_error_names_the_option(tmp_path):
    for write in (write_file, write_public_file):
        with pytest.raises(CommandError, match=f"--html {tmp_path}: cannot be written"):
            write("--html", tmp_path, "")
    with pytest.raises(CommandError, match=f"--plot {tmp_path}: cannot be written"):
        check_file("--plot", tmp_path)


def test_a_missing_folder_is_no_mistake_to_whoever_looks_first(tmp_path):
    """A drill looks, and writes minutes later: it refused what the other commands make."""
    path = tmp_path / "pages" / "today" / "drill.html"
    check_file("--html", path)
    write_public_file("--html", path, "<p>")
    assert [each.name for each in path.parent.iterdir()] == ["drill.html"]
