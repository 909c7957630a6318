"""Answers come from a file at no cost; what it has not is asked and written, or an error that says what differs."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from chains import cost_sensitive
from orchestrator import CacheState, CacheUse, Orchestrator
from orchestrator.core.errors import AnswerNotRecordedError, StateError
from orchestrator.pipeline.recorded_answers import AnswerFile
from orchestrator.practice import PracticeToolCall, Scripted
from orchestrator.providers.in_memory import InMemoryTransport
from tests.chains.samples import ITEM, LABEL, written
from tests.support.unprivileged import NOBODY


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "answers.jsonl"


@pytest.fixture
def make(make_config, clock, path: Path) -> Iterator[Callable[..., Orchestrator]]:
    """Make orchestrators that record into `path`, or replay it and have nobody to ask."""
    opened: list[Orchestrator] = []

    def made(*replies: Any, replay: bool = False, **environment: str) -> Orchestrator:
        transport = InMemoryTransport(clock=clock, answerer=Scripted(replies))
        config = make_config({"cache": {"enabled": False}}, **environment)
        opened.append(
            Orchestrator(config, clock=clock, transport=transport, answers=AnswerFile(path, adds=not replay))
        )
        return opened[-1]

    yield made
    for orchestrator in opened:
        orchestrator.close()


def test_a_recorded_answer_is_given_once_more_for_nothing_and_says_so(make, path):
    first = make("Xin chào!").complete("Hi", tenant="acme")
    assert first.cost_nusd > 0
    replaying = make(replay=True)
    again = replaying.complete("Hi", tenant="globex", user="42", deadline_s=3)
    assert (again.text, again.model, again.usage) == (first.text, first.model, first.usage)
    assert (again.cost_nusd, again.cached, again.attempts) == (0, CacheState.REPLAYED, ())
    assert again.notices[-1] == "recorded on 2026-11-23, from answers.jsonl"
    row = replaying.request(again.request_id).request
    assert (row.tenant, row.cost_nusd, row.cached) == ("globex", 0, CacheState.REPLAYED)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_streams_tools_and_chains_are_replayed_too(make):
    call = PracticeToolCall("order_status", '{"id": "DH1"}')
    recording = make("one two three", call, "no", written(LABEL))
    "".join(delta.text for delta in recording.stream("Count"))
    recording.complete("Where is it?")
    cost_sensitive(recording).invoke(ITEM)
    replaying = make(replay=True)
    assert [delta.text async for delta in replaying.stream("Count")] == ["one ", "two ", "three"]
    assert (await replaying.acomplete("Where is it?")).tool_calls[0].name == "order_status"
    result = cost_sensitive(replaying).with_details().invoke(ITEM)
    assert (result.stage, result.cost_nusd) == ("repair", 0)


def test_what_the_file_has_is_not_asked_again_while_recording_but_for_a_refresh(make, path):
    recording = make("first", "second")
    asked = [recording.complete("Hi").text, recording.complete("Hi").text]
    assert asked == ["first", "first"]
    assert recording.complete("Hi", cache=CacheUse.REFRESH).text == "second"
    replaying = make(replay=True)
    assert [replaying.complete("Hi").text for _ in range(3)] == ["first", "second", "second"]
    assert len(path.read_bytes().splitlines()) == 2


@pytest.mark.parametrize(
    ("prompt", "fields", "difference"),
    [
        ("Where is DH1002?", {}, r"messages\[0\]\.content differs from character 15 on"),
        ("Where is DH1001?", {"max_tokens": 5}, "max_tokens is null and not 5"),
        ("Where is DH1001?", {"temperature": 0.5}, "temperature is null and not 0.5"),
        (
            "Where is DH1001?",
            {"use_case": "data_analysis"},
            'use_case is "customer_service" and not "data_analysis"',
        ),
        ([{"role": "user", "content": "Hi"}] * 2, {}, "messages has 1 entries and not 2"),
    ],
)
def test_a_miss_names_the_nearest_request_and_where_it_differs_and_quotes_no_prompt(
    make, prompt, fields, difference
):
    recording = make()
    recording.complete("Something else altogether, and longer")
    recording.complete("Where is DH1001?")
    with pytest.raises(AnswerNotRecordedError, match=difference) as caught:
        make(replay=True).complete(prompt, **fields)
    assert "DH100" not in str(caught.value)
    assert "record= in the place of replay=" in str(caught.value)
    assert caught.value.request_id


def test_a_file_that_is_not_there_or_holds_something_else_says_so(make, path):
    with pytest.raises(StateError, match="there is no such file of answers"):
        make(replay=True)
    path.parent.mkdir()
    path.write_bytes(b'\n{"format": 1}\n')
    with pytest.raises(StateError, match=r"answers\.jsonl:2: no recorded answer"):
        make(replay=True)
    path.write_bytes(b"")
    with pytest.raises(AnswerNotRecordedError, match="the file has no answers"):
        make(replay=True).complete("Hi")
    with pytest.raises(StateError, match="name one of them"):
        Orchestrator.from_config(record=path, replay=path)


def test_no_key_of_the_configuration_stands_in_the_file(make, path):
    key = "sk-live-0123456789abcdef"
    recording = make(f"your key is {key}", OPENAI_API_KEY=key)
    recording.complete(f"my key is {key}")
    assert key not in path.read_text("utf-8")
    assert orjson.loads(path.read_bytes())["reply"]["text"] == "your key is ********"
    assert make(replay=True).complete(f"my key is {key}").text


@pytest.mark.parametrize("key", ['sk-"quoted"-0123456789', "sk-back\\\\slash-0123456789"])
def test_a_key_is_masked_as_json_writes_it_too(make, path, key):
    recording = make(f"your key is {key}", OPENAI_API_KEY=key)
    recording.complete("Hi")
    assert orjson.loads(path.read_bytes())["reply"]["text"] == "your key is ********"


def test_a_last_line_that_was_left_open_is_ended_before_the_next(make, path):
    """An editor may take the line's end away: two answers in one line would be none."""
    make("first").complete("one")
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    make("second").complete("two")
    replaying = make(replay=True)
    assert [replaying.complete(asked).text for asked in ("one", "two")] == ["first", "second"]


@pytest.mark.parametrize("reply", ['"x"', "[]", "7", "null", '{"degraded_kinds": 1}'])
def test_a_reply_that_is_none_is_told_with_its_line(make, path, reply):
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'{{"format": 1, "key": "k", "question": {{}}, "reply": {reply}}}\n', "utf-8")
    with pytest.raises(StateError, match=r"answers\.jsonl:1: no recorded answer"):
        make(replay=True)


def test_replaying_from_a_configuration_needs_no_key(make, make_config, path, monkeypatch, tmp_path):
    make("Xin chào!").complete("Hi", model="gpt-6-luna")
    for name in ("OPENAI_API_KEY", "OPENROUTER_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(tmp_path / "home"))
    with Orchestrator.from_config(tmp_path / "config.yaml", replay=path) as replaying:
        assert replaying.complete("Hi", model="gpt-6-luna").text == "Xin chào!"


def test_what_no_file_records_is_refused_while_replaying_and_nobody_is_asked(make, clock, make_config, path):
    make("Xin chào!").complete("Hi")
    transport = InMemoryTransport(clock=clock)
    with Orchestrator(
        make_config(), clock=clock, transport=transport, answers=AnswerFile(path, adds=False)
    ) as replaying:
        with pytest.raises(AnswerNotRecordedError, match="embeddings are not recorded"):
            replaying.embed(["Đổi trả trong 30 ngày"])
        with pytest.raises(AnswerNotRecordedError, match="nobody is asked"):
            replaying.native("openai/gpt-6-luna")
    assert not transport.bill.charges


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="gives a file to another user")
@pytest.mark.parametrize("adds", [True, False])
def test_answers_that_another_user_has_put_there_are_nobodys(path, adds):
    path.parent.mkdir()
    path.touch()
    os.chown(path, NOBODY, NOBODY)
    path.parent.chmod(0o1777)
    with pytest.raises(StateError, match="another user of this machine has put"):
        AnswerFile(path, adds=adds)
    path.parent.chmod(0o755)
    AnswerFile(path, adds=adds)
