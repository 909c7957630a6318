"""Prompts that are equal to a cache or to a provider have equal prints, others have not, and files have none."""

import sqlite3
from contextlib import closing
from types import SimpleNamespace

import pytest

from orchestrator.core.request import ChatRequest
from orchestrator.pipeline.prompt_printing import prompt_print
from orchestrator.routing.estimate import measure

SYSTEM = "Bạn là trợ lý của một CRM. " * 300


def printed(*messages, sent=True, cache_key=None, background=False, hosts="", **more):
    request = ChatRequest.of(
        [{"role": role, "content": content} for role, content in messages],
        use_case="bulk",
        tenant="acme",
        **more,
    )
    trace = SimpleNamespace(size=measure(request), attempts=(1,) if sent else ())
    profile = SimpleNamespace(background=background)
    snapshot = SimpleNamespace(config=SimpleNamespace(hosts_of=lambda _use_case: hosts))
    call = SimpleNamespace(
        request=request, trace=trace, profile=profile, cache_key=cache_key, snapshot=snapshot, arm=None
    )
    return prompt_print(call)


def test_the_same_question_has_the_same_print_and_any_other_has_another():
    first = printed(("user", "Xin chào"))
    assert first == printed(("user", "Xin chào"))
    assert first.whole != printed(("user", "Xin chào!")).whole
    assert first.whole != printed(("user", "Xin chào"), temperature=0.5).whole
    assert first.beginnings == ()
    assert first.whole != printed(("user", "Xin chào"), hosts="only azure").whole


def test_prompts_that_begin_alike_have_the_same_beginning_up_to_where_they_differ():
    first, second = (printed(("system", SYSTEM), ("user", name)) for name in ("Lan", "Minh"))
    assert first.whole != second.whole
    assert first.beginnings == second.beginnings
    assert len(first.beginnings) == 1
    assert len(SYSTEM.encode()) < first.length_bytes < len(SYSTEM.encode()) + 50
    late = printed(("system", SYSTEM + "Lan" + SYSTEM * 2), ("user", "Hỏi"))
    later = printed(("system", SYSTEM + "Tùng" + SYSTEM * 2), ("user", "Hỏi"))
    assert [a == b for a, b in zip(late.beginnings, later.beginnings, strict=True)] == [True, False]


def test_a_role_and_tools_are_a_part_of_a_beginning():
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    plain = printed(("system", SYSTEM), ("user", "x"))
    assert plain.beginnings != printed(("user", SYSTEM), ("user", "x")).beginnings
    assert plain.beginnings != printed(("system", SYSTEM), ("user", "x"), tools=[tool]).beginnings


def test_what_is_looked_at_of_a_very_long_prompt_has_a_bound():
    long = printed(("user", "x" * 1_000_000))
    assert long.whole == b""
    assert len(long.beginnings) == 3
    assert printed(("user", "x" * 1_000_000), cache_key="known").whole == b"known"


def test_nothing_is_printed_of_files_or_where_no_model_was_asked():
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    assert printed(("user", [{"type": "text", "text": SYSTEM}, picture])) is None
    assert printed(("user", "x"), sent=False) is None
    assert printed(("user", "x"), background=True).waited


@pytest.mark.parametrize(("record", "rows"), [({"mode": "off"}, 0), ({}, 1)])
def test_a_request_leaves_a_print_unless_no_more_is_kept_than_money_needs(make_orchestrator, record, rows):
    orchestrator = make_orchestrator({"record": record})
    orchestrator.complete("Xin chào", tenant="acme")
    assert orchestrator.complete("Xin chào", tenant="acme").cached == "hit"
    orchestrator.close()
    with closing(sqlite3.connect(orchestrator.config.settings.ledger.path)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM prompts").fetchone() == (rows,)
