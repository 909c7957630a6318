"""Which requests get an apology, in which language, and what is said of an older answer."""

from datetime import UTC, datetime

import pytest

from orchestrator.config.schema import LastResortSettings
from orchestrator.core.errors import AllProvidersFailedError, PromptTooLargeError, UnavailableError
from orchestrator.core.reply import Degradation, DegradationKind, Delta
from orchestrator.core.request import ChatRequest
from orchestrator.pipeline.graceful import Graceful, apologises, apology
from orchestrator.routing.settings import RouteStep, UseCaseSettings
from tests.support.step_bench import Following

TOOL = {"type": "function", "function": {"name": "find_order"}}


def use_case(**more) -> UseCaseSettings:
    return UseCaseSettings(primary=RouteStep(deployment="openai/x", reason="It is there."), **more)


def request(prompt="Xin chào", **wanted) -> ChatRequest:
    return ChatRequest.of(prompt, use_case="customer_service", **wanted)


@pytest.mark.parametrize(
    ("wanted", "settings", "expected"),
    [
        ({}, {}, False),
        ({}, {"graceful": True}, True),
        ({"graceful": True}, {}, True),
        ({"graceful": False}, {"graceful": True}, False),
        ({"graceful": True}, {"never_degrade": True}, False),
        ({"graceful": True, "response_format": {"type": "json_object"}}, {}, False),
        ({"graceful": True, "response_format": {"type": "text"}}, {}, True),
        ({"graceful": True, "tools": [TOOL]}, {}, False),
    ],
)
def test_an_apology_is_for_people_who_may_get_one(wanted, settings, expected) -> None:
    """A program that asked for a form or for tools gets the error, whatever was set."""
    assert apologises(request(**wanted), use_case(**settings)) is expected


@pytest.mark.parametrize(
    ("wanted", "settings", "begins"),
    [
        ({"prompt": "Đơn hàng đâu?"}, {}, "Xin lỗi"),
        ({"prompt": "ฉันจะคืนสินค้าได้ไหม ขอบคุณ ครับ"}, {"language": "vi"}, "Xin lỗi"),
        ({"prompt": "Where is it?"}, {}, "Sorry"),
        ({"prompt": "Where is it?"}, {"language": "vi"}, "Xin lỗi"),
        ({"prompt": "Đơn hàng đâu?", "language": "en"}, {}, "Sorry"),
    ],
)
def test_an_apology_has_the_request_id_the_cost_and_the_reason(wanted, settings, begins) -> None:
    """And says by its fields, not by its words, that it is none of a model's answers."""
    error = AllProvidersFailedError("no provider could answer just now")
    error.request_id, error.cost_nusd = "0abc", 1_200
    reply = apology(
        error,
        request(**wanted),
        settings=LastResortSettings(**settings),
        started_at=datetime(2026, 11, 23, tzinfo=UTC),
        latency_s=1.5,
    )
    assert reply.text.startswith(begins)
    assert "0abc" in reply.text
    assert (reply.apology, reply.finish_reason, reply.cost_nusd) == (True, "unavailable", 1_200)
    assert (reply.model, reply.deployment, reply.provider) == ("", "", "")
    text = "nobody answered: no provider could answer just now"
    assert reply.degraded == Degradation((DegradationKind.NO_ANSWER,), text)


# ---- the step


async def test_a_call_that_wants_one_gets_an_apology_in_the_place_of_the_error(bench) -> None:
    error = AllProvidersFailedError("no provider could answer just now")
    call = bench.call(graceful=True, stream=True)
    error.request_id = call.id
    reply = await Graceful(Following(error))(call)
    assert reply.apology
    assert call.id in reply.text
    assert "".join(delta.text for delta in bench.pieces) == reply.text


async def test_an_answer_passes_as_it_is(bench) -> None:
    assert not (await Graceful(Following())(bench.call(graceful=True))).apology


@pytest.mark.parametrize(
    ("fields", "error"),
    [({}, UnavailableError("down")), ({"graceful": True}, PromptTooLargeError("shorten it"))],
    ids=["nobody wants one", "the callers own fault"],
)
async def test_an_error_stays_an_error_where_no_apology_may_stand_for_it(bench, fields, error) -> None:
    with pytest.raises(type(error)):
        await Graceful(Following(error))(bench.call(**fields))


async def test_words_that_were_read_are_not_followed_by_an_apology(bench) -> None:
    call = bench.call(graceful=True, stream=True)
    assert call.sink is not None
    call.sink(Delta("Chào "))
    with pytest.raises(UnavailableError):
        await Graceful(Following(UnavailableError("broke off")))(call)
