"""Faults: their text, their JSON, and the queue."""

import subprocess
import sys
import threading

import pytest

from orchestrator.practice.faults import Fault, FaultKind, FaultQueue

TEXTS = [
    "openrouter:status=503",
    "openrouter:status=429,times=3,retry_after_s=2",
    "openai:status=400,reason=context_length",
    "google:cut_stream=5",
    "google:cut_stream=5,model=gemini-2.5-flash",
    "*:reset,times=1",
    "openai:slow_first_token=1.5",
    "openrouter:error_in_200=502,after_chunks=2",
    "openrouter:drip=50",
    "openrouter:silence",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_fault_reads_back_as_it_was_written(text):
    """Text and JSON both come back to the same fault."""
    fault = Fault.parse(text)
    assert str(fault) == text
    assert Fault.from_json(fault.as_json()) == fault


def test_every_kind_can_be_named_without_parameters():
    """A kind alone is a fault with sensible parameters."""
    for kind in FaultKind:
        assert Fault.parse(str(Fault("openai", kind))).kind is kind


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("openrouter", "<provider>:<kind>"),
        ("cohere:reset", "unknown provider 'cohere'; known: anthropic, .*or . for any"),
        ("opnai:reset", "Did you mean 'openai'"),
        ("openai:explode", "unknown fault 'explode'; known: .*status"),
        ("openai:slow_frist_token=3", "Did you mean 'slow_first_token'"),
        ("openai:status=abc", "status must be a number"),
        ("openai:status=200", "400 to 599"),
        ("openai:reset=3", "takes no value"),
        ("openai:reset,delay_s=3", "no parameter 'delay_s'; known: model, times"),
        ("openai:status=500,colour=red", "known: model, reason, retry_after_s, status, times"),
        ("openai:status=500,tmes=2", "no parameter 'tmes'. Did you mean 'times'"),
        ("openai:status=500,times=0", "at least 1"),
        ("openai:status=400,reason=mood", "unknown reason 'mood'; known: content_filter"),
        ("openai:slow_first_token=-1", r"^slow_first_token \(delay_s\) must not be negative"),
        ("openai:slow_first_token=nhanh", r"^slow_first_token \(delay_s\) must be a number, got 'nhanh'"),
        ("openai:huge_body=0", r"^huge_body \(size_mb\) must be at least 1"),
        ("openai:status=500,times", "<name>=<value>"),
    ],
)
def test_wrong_text_names_the_choices(text, message):
    """The message of the ValueError says what would have been right."""
    with pytest.raises(ValueError, match=message):
        Fault.parse(text)


def test_a_fault_of_a_provider_that_nobody_asks_is_refused_with_those_that_are():
    """It would wait for ever; `*` is anyone."""
    queue = FaultQueue()
    queue.providers = ("openrouter", "google")
    with pytest.raises(
        ValueError, match=r"nobody asks 'anthropic' here: choose one of openrouter, google, or"
    ):
        queue.add("openrouter:reset", "anthropic:status=503")
    assert not queue
    queue.add("*:reset", "google:reset")


def test_faults_are_met_first_in_first_out_and_as_often_as_told():
    """`times` counts down, then the next fault has its turn; without `times` it stays until cleared."""
    queue = FaultQueue(["openai:status=500,times=2", "openai:status=503"])
    assert [fault.status for _ in range(4) if (fault := queue.take("openai", "m"))] == [500, 500, 503, 503]
    assert queue.clear("openai") == 1
    assert queue.take("openai", "m") is None


def test_a_fault_hits_only_whom_it_is_addressed_to():
    """Provider and model must fit; `*` fits every provider."""
    queue = FaultQueue(["google:reset,model=a", "*:silence,times=1"])
    assert queue.take("google", "b") == Fault("*", FaultKind.SILENCE, times=1)
    assert queue.take("openai", "a") is None
    assert queue.take("google", "a") == Fault("google", FaultKind.RESET, model="a")


def test_what_waits_is_told_with_the_times_that_are_left():
    """`waiting` is a picture of the queue."""
    queue = FaultQueue(["openai:reset,times=3"])
    queue.take("openai", "m")
    assert [str(fault) for fault in queue.waiting] == ["openai:reset,times=2"]
    assert len(queue) == 1


def test_a_wrong_text_among_right_ones_adds_nothing():
    """`add` is all or nothing."""
    queue = FaultQueue()
    with pytest.raises(ValueError, match="unknown fault"):
        queue.add("openai:reset", "openai:nonsense")
    assert len(queue) == 0


def test_many_threads_use_a_fault_exactly_as_often_as_it_may_be_used():
    """200 takes of a fault with 50 times give 50."""
    queue = FaultQueue(["openai:reset,times=50"])
    taken = []
    threads = [
        threading.Thread(target=lambda: taken.extend(queue.take("openai", "m") for _ in range(25)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(fault is not None for fault in taken) == 50


def test_faults_are_cheap_to_import():
    """A command line that only parses faults loads neither aiohttp nor litellm."""
    code = "import sys, orchestrator.practice.faults; print('aiohttp' in sys.modules or 'litellm' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "False"
