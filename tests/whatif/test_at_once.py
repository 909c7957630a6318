"""Two things are done at once in two processes, and nothing of the second one's can be lost."""

import os
import signal
import struct

import pytest

from orchestrator.whatif import at_once
from orchestrator.whatif.at_once import both

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


@pytest.fixture(autouse=True)
def _two_processors(monkeypatch):
    monkeypatch.setattr(at_once, "_can_be_divided", lambda: True)


def test_each_is_done_in_a_process_of_its_own():
    here, beside = both(os.getpid, os.getpid)
    assert here == os.getpid() != beside


def test_more_comes_back_than_a_pipe_holds():
    # Who waited for the first before he reads would wait for ever, if the second waited for its reader.
    assert both(lambda: 1, lambda: b"x" * 10_000_000) == (1, b"x" * 10_000_000)


def test_what_fails_beside_fails_here_with_its_own_error():
    def fail() -> None:
        raise ZeroDivisionError("of ours")

    with pytest.raises(ZeroDivisionError, match="of ours"):
        both(lambda: 1, fail)


def test_a_process_that_is_killed_is_replaced_by_this_one():
    own = os.getpid()

    def killed() -> int:
        if os.getpid() != own:
            os.kill(os.getpid(), signal.SIGKILL)
        return os.getpid()

    assert both(lambda: 1, killed) == (1, own)


def test_half_of_an_answer_is_none(monkeypatch):
    """A process that is killed while it tells has told a part: the rest of a message never comes."""

    def tell_a_part(_, send) -> None:
        os.write(send.__self__.fileno(), struct.pack("!i", 100) + b"a part")

    monkeypatch.setattr(at_once, "_tell", tell_a_part)
    assert both(lambda: 1, os.getpid) == (1, os.getpid())


def test_a_process_that_nobody_waits_for_takes_away_what_it_has_made(tmp_path):
    folder = tmp_path / "for a while"
    reading, writing = os.pipe()

    def beside() -> None:
        folder.mkdir()
        try:
            os.write(writing, b"!")
            signal.pause()
        finally:
            folder.rmdir()

    def fail() -> None:
        assert os.read(reading, 1) == b"!"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        both(fail, beside)
    assert not folder.exists()
    os.close(reading)
    os.close(writing)


def test_who_fails_here_leaves_no_process_behind():
    # Other tests of this process may have some.
    others = {child.pid for child in at_once.multiprocessing.active_children()}
    pids = []

    def fail() -> None:
        children = {child.pid for child in at_once.multiprocessing.active_children()}
        pids.extend(children - others)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        both(fail, signal.pause)
    assert len(pids) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_with_one_processor_they_are_done_in_turn(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    assert both(os.getpid, os.getpid) == (os.getpid(),) * 2


def test_where_no_process_can_be_made_they_are_done_in_turn(monkeypatch):
    def refuse() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    assert both(os.getpid, os.getpid) == (os.getpid(),) * 2
