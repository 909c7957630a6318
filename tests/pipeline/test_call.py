"""What applies to a request is looked up once, when it begins."""

import asyncio
from dataclasses import replace

import pytest

from orchestrator.core.errors import DeadlineExceededError, UnknownNameError
from orchestrator.core.payer import Payer
from orchestrator.core.reply import Delta, ToolCall
from tests.support.step_bench import ATTEMPT, COST, reply_of


def test_a_call_knows_from_its_first_moment_what_applies_to_it(bench) -> None:
    call = bench.call(user="lan", tags=["trial"], profile="background")
    settings = bench.config.settings
    assert call.use_case is settings.use_cases["customer_service"]
    assert call.profile is settings.retry_profiles["background"]
    assert call.payer == Payer("acme", "customer_service", "lan", ("trial",))
    assert call.deadline.timeout_s == settings.retry_profiles["background"].deadline_s
    assert call.started_at == bench.clock.now()
    assert bench.call().id != call.id


@pytest.mark.parametrize("fields", [{"use_case": "custommer_service"}, {"profile": "interactiv"}])
def test_a_name_that_the_configuration_does_not_define_is_an_error_at_once(bench, fields) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean"):
        bench.call(**fields)


async def test_what_takes_longer_than_the_deadline_is_interrupted_and_told_as_that(bench) -> None:
    call = bench.call(deadline_s=0.01)
    with pytest.raises(DeadlineExceededError, match="allow more with deadline_s") as caught:
        async with call.in_time():
            await asyncio.Event().wait()
    assert (caught.value.request_id, caught.value.partial_text) == (call.id, "")


def test_a_reply_reaches_a_streams_reader_in_pieces_with_its_tool_calls(bench) -> None:
    call = bench.call(stream=True)
    assert not call.has_delivered
    reply = replace(reply_of(call), tool_calls=(ToolCall("1", "find_order", "{}"),))
    assert call.hand_over(reply) is reply
    assert [delta.text for delta in bench.pieces] == ["Chào ", "anh ", "Nam", ""]
    assert bench.pieces[-1].tool_calls[0].name == "find_order"
    assert call.has_delivered


def test_a_whole_request_has_no_reader(bench) -> None:
    call = bench.call()
    call.hand_over(reply_of(call))
    assert not call.has_delivered


def test_what_was_spent_is_what_the_attempts_cost_also_seen_from_a_changed_call(bench) -> None:
    call = bench.call()
    replace(call, stale=reply_of(call)).trace.attempts = (ATTEMPT, ATTEMPT)
    assert call.trace.spent_nusd == 2 * COST


def test_a_piece_makes_a_call_delivered(bench) -> None:
    call = bench.call(stream=True)
    assert call.sink is not None
    call.sink(Delta("Chào "))
    assert call.has_delivered
