import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

CONFTEST = """
from tests.support import forks

def pytest_addoption(parser):
    forks.add_option(parser)

def pytest_configure(config):
    if config.getoption("forks"):
        config.pluginmanager.register(forks.Forks(config, config.getoption("forks")))
"""

TESTS = """
import os, signal, warnings
import pytest

@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    print("set up once")
    yield
    (tmp_path_factory.getbasetemp().parent / "torn down").touch()

@pytest.mark.parametrize("number", range(12))
def test_that_passes(number, shared, tmp_path):
    (tmp_path / "file").touch()

def test_that_fails():
    print("this is printed")
    assert 1 == 2

def test_that_dies():
    os.kill(os.getpid(), signal.SIGKILL)

def test_that_warns(shared):
    warnings.warn("an odd event", DeprecationWarning)

def test_that_is_skipped():
    pytest.skip("not here")
"""


def forked(folder: Path, *options: str) -> str:
    (folder / "conftest.py").write_text(CONFTEST)
    for name in ("first", "second"):
        (folder / f"test_{name}.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "--disable-plugin-autoload", "--forks", "3", *options]
    ran = subprocess.run(
        [*command, f"--basetemp={folder / 'temporary'}", folder, f"--rootdir={folder}", "-c", "/dev/null"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    return ran.stdout


def test_every_test_is_reported_once_and_one_that_dies_is_a_failure(tmp_path: Path) -> None:
    printed = forked(tmp_path)
    assert "4 failed, 26 passed, 2 skipped, 2 warnings in" in printed
    assert printed.count("this is printed") == 4, printed  # in its code and among what was captured
    assert "the process that ran it has ended with exit code -9" in printed
    assert "DeprecationWarning: an odd event" in printed
    assert (tmp_path / "temporary" / "torn down").exists()


def test_who_dies_of_the_last_test_of_a_file_takes_no_other_with_it(tmp_path: Path) -> None:
    printed = forked(tmp_path, "-k", "that_dies")
    assert "2 failed, 30 deselected in" in printed


def test_a_run_ends_at_its_first_failure_when_it_is_asked_to(tmp_path: Path) -> None:
    printed = forked(tmp_path, "-x", "-k", "that_fails or that_is_skipped")
    assert "stopping after 1 failures" in printed
    assert "1 failed" in printed
