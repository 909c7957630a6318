"""Who sets the project up is told what takes the time, again and again, and why it failed."""

import sys

import pytest

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
    bootstrap.run([sys.executable, "-c", waiting])
    assert f"1 of {bootstrap.locked_count()} packages are in place" in told[0]
    assert bootstrap.locked_count() > 100


def test_a_step_that_fails_says_why_and_nothing_of_a_quick_one_is_said(told, monkeypatch):
    monkeypatch.setattr(bootstrap, "BEAT_S", 300)
    bootstrap.run([sys.executable, "-c", "print('done')"])
    with pytest.raises(bootstrap.BootstrapError, match="the disk is full"):
        bootstrap.run([sys.executable, "-c", "import sys; sys.exit('No space left on device')"])
    assert told == []
