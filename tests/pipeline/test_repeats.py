"""A reply that was paid for already is given once more, charged to nobody."""

from dataclasses import replace

import pytest

from orchestrator.core.errors import UnavailableError
from orchestrator.core.reply import CacheState, DegradationKind, Delta, Usage
from orchestrator.pipeline.repeats import age_s_of, repeated, replayed, stale_reply, why_stale
from orchestrator.pipeline.reply_building import pack_whole, unpack_whole
from tests.support.step_bench import ATTEMPT, COST, reply_of


def test_a_repeated_reply_is_another_requests_and_costs_nothing(bench) -> None:
    first = reply_of(bench.call())
    bench.clock.advance(60)
    call = bench.call()
    bench.clock.advance(0.5)
    again = repeated(call, first, CacheState.HIT)
    assert (again.request_id, again.created_at, again.latency_s) == (call.id, call.started_at, 0.5)
    assert (again.text, again.usage, again.cost_nusd, again.attempts) == (first.text, Usage(), 0, ())


def test_a_replay_keeps_the_id_and_the_usage_that_its_key_was_told_first(bench) -> None:
    first = reply_of(bench.call())
    replay = replayed(bench.call(stream=True), first)
    assert (replay.request_id, replay.usage, replay.created_at) == (
        first.request_id,
        first.usage,
        first.created_at,
    )
    assert (replay.cached, replay.cost_nusd, replay.attempts) == (CacheState.REPLAYED, 0, ())
    assert "".join(delta.text for delta in bench.pieces) == first.text


def test_an_older_answer_has_the_attempts_that_failed_and_their_cost(bench) -> None:
    call = replace(bench.call(), stale=reply_of(bench.call()))
    call.trace.attempts = (ATTEMPT,)
    error = UnavailableError("down")
    error.cost_nusd = COST
    bench.clock.advance(120)
    reply = stale_reply(call, error, clock=bench.clock)
    assert reply is not None
    assert (reply.attempts, reply.cost_nusd, reply.cached) == ((ATTEMPT,), COST, CacheState.STALE)
    assert str(reply.degraded) == "an answer from 2 minutes ago, because nobody answers now: down"


def test_words_that_were_read_are_not_followed_by_an_older_answer(bench) -> None:
    call = replace(bench.call(stream=True), stale=reply_of(bench.call()))
    assert call.sink is not None
    call.sink(Delta("Chào "))
    assert stale_reply(call, UnavailableError("broke off"), clock=bench.clock) is None


def test_a_reply_is_as_old_as_the_request_that_paid_for_it(bench) -> None:
    reply = reply_of(bench.call())
    bench.clock.advance(90)
    assert age_s_of(reply, bench.clock) == 90


@pytest.mark.parametrize(
    ("age_s", "told"),
    [(5, "less than a minute"), (60, "1 minute ago"), (7_300, "2 hours ago"), (200_000, "2 days ago")],
)
def test_an_older_answer_says_how_old_it_is_and_why_it_is_given(age_s, told) -> None:
    degraded = why_stale(UnavailableError("everything is down"), age_s=age_s)
    assert degraded.kinds == (DegradationKind.OLDER_ANSWER,)
    assert told in degraded.text
    assert degraded.text.endswith("because nobody answers now: everything is down")


def test_the_words_for_callers_of_a_server_are_kept_beside_the_others(bench) -> None:
    """With the reply for its idempotency key too, which is given to whoever asks again."""
    error = UnavailableError("set KEY in config.yaml").told_callers("ask who operates this server")
    degraded = why_stale(error, age_s=60)
    assert "KEY" in degraded.text
    assert degraded.for_caller.endswith("because nobody answers now: ask who operates this server")
    kept = unpack_whole(pack_whole(replace(reply_of(bench.call()), degraded=degraded)))
    assert kept.degraded == degraded
