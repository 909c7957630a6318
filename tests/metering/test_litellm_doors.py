"""Every entry point of LiteLLM is metered, let in by name, or stopped while a guard is in the list."""

import inspect
from collections.abc import Callable
from types import FunctionType, SimpleNamespace
from typing import Any

import litellm
import litellm.harness
import pytest
from litellm.rust_bridge import dispatch, runtime
from litellm.rust_bridge.catalog import Route, RouteContext

from orchestrator.core.errors import InvalidRequestError
from orchestrator.metering.litellm_doors import LET_IN
from orchestrator.practice import PracticeServer
from orchestrator.providers.litellm.sending import Sending, in_this_task
from tests.metering import test_budget_guard as with_guard
from tests.metering.test_budget_guard import HELLO, MODELS, standing

practice, make_guard, guard, to = (
    with_guard.practice,
    with_guard.make_guard,
    with_guard.guard,
    with_guard.to,
)

PLAIN = ("litellm.utils", "litellm.litellm_core_utils.", "litellm.types.", "litellm.llms.", "litellm.caching.",
         "litellm._", "litellm.secret_managers.", "litellm.rust_bridge.", "litellm.integrations.",
         "litellm.router_utils.")  # fmt: skip
"""Modules of which a later version's functions are not looked at one by one."""


def shown(module: Any) -> dict[str, FunctionType]:
    return {
        name: found
        for name, found in vars(module).items()
        if inspect.isfunction(found) and found.__module__.startswith("litellm.") and not name.startswith("_")
    }


def test_every_public_function_of_litellm_is_metered_let_in_or_closed(guard) -> None:
    """A function that a later version brings is closed, and one that it takes away is seen here."""
    entries = {
        name: found
        for module in (litellm, litellm.harness)
        for name, found in shown(module).items()
        if not found.__module__.startswith(PLAIN) and not found.__module__.startswith("orchestrator")
    }
    assert {name for name in LET_IN if not hasattr(litellm, name)} == set()
    assert len(entries) > 200
    let_through = []
    for name, found in entries.items():
        if name in LET_IN:
            continue
        try:
            answer = found()
            if inspect.iscoroutine(answer):
                answer.send(None)
        except InvalidRequestError as error:
            assert "goes past it" in str(error)
        except BaseException:  # noqa: BLE001 -- it was let in, and asks for its arguments
            let_through.append(name)
        else:
            let_through.append(name)
    assert let_through == []


def test_no_module_beside_the_entry_points_has_a_function_of_litellms_that_sends() -> None:
    """One that is made by LiteLLM's decorator would be an entry point that nobody has looked at."""
    beside = [found for found in shown(litellm).values() if found.__module__.startswith(PLAIN)]
    assert len(beside) > 50
    assert [each.__name__ for each in beside if hasattr(each, "__wrapped__")] == []


NAMED = ("moderation", "create_assistants", "acreate_assistants", "run_thread", "arun_thread", "ocr", "aocr",
         "image_generation", "speech", "transcription", "rerank", "search", "video_generation", "agenerate_content",
         "create_container", "vector_store_file_create", "create_file", "create_batch", "create_skill",
         "create_fine_tuning_job", "anthropic_messages", "allm_passthrough_route", "arealtime_calls", "_arealtime",
         "ingest", "aquery", "text_completion", "aembedding", "realtime_health_check", "create_agent", "arun_code",
         "create_eval", "decisions", "agent", "aagent", "agent_session")  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
async def test_an_entry_point_without_a_meter_is_closed_while_a_guard_stands(guard, name: str) -> None:
    with pytest.raises(InvalidRequestError, match="goes past it"):
        await _called(getattr(litellm, name))
    litellm.callbacks.remove(guard)
    try:
        with pytest.raises(Exception, match=r".+") as raised:
            await _called(getattr(litellm, name))
        assert "goes past it" not in str(raised.value)
    finally:
        litellm.callbacks.append(guard)


async def _called(function: Callable[..., Any]) -> None:
    """Call it with what no function takes, so that nothing is sent where it is open."""
    answer = function(*range(60))
    if inspect.isawaitable(answer):
        await answer


def test_what_a_closed_function_was_imported_as_stays_what_it_is_for_an_orchestrator(guard) -> None:
    """What an Orchestrator sends is held for by itself, and goes through the same functions."""
    with in_this_task(Sending(source=None)):  # type: ignore[arg-type]
        assert litellm.embedding(model="openai/x", input=["a"], mock_response=[0.5])


EMBEDDING = {"model": "openai/text-embedding-3-small", "input": ["hi"]}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("embedding", {**EMBEDDING, "aembedding": True}),
        ("embedding", {**EMBEDDING, "acompletion": True}),
        ("embedding", {**EMBEDDING, "litellm_logging_obj": SimpleNamespace()}),
        ("image_generation", {"model": "openai/dall-e-3", "prompt": "hi", "aresponses": True}),
        ("completion", {"model": MODELS[0], "messages": HELLO, "acompletion": True}),
        ("completion", {"model": MODELS[1], "messages": HELLO, "litellm_logging_obj": SimpleNamespace()}),
    ],
)
def test_no_mark_of_litellms_own_opens_a_door(
    guard, practice: PracticeServer, to, name: str, arguments: dict[str, Any]
) -> None:
    """By these it knows that it calls itself, and sets up no call: nothing was asked, and it was sent."""
    at = {key: value for key, value in to(MODELS[0]).items() if key in {"api_base", "api_key"}}
    function = getattr(litellm, name)
    while hasattr(function, "__wrapped__") and "client.<locals>" not in function.__code__.co_qualname:
        function = function.__wrapped__
    with pytest.raises(InvalidRequestError, match="goes past it"):
        function(**arguments, **at)
    assert (practice.requests, standing(guard)) == ((), (0, 0))


def test_compiled_code_of_litellms_sends_nothing_under_a_guard(guard) -> None:
    """`ocr` has no other way to send, and a variable of the environment opens it for messages."""
    before = dispatch.runtime._attempt_native
    with pytest.raises(InvalidRequestError, match="ocr goes past it"):
        runtime._attempt_native(RouteContext(Route.OCR), None, None)
    assert before is runtime._attempt_native
