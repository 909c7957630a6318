"""What LiteLLM carries to OpenAI's Responses API for a guarded call is measured as it leaves, and once."""

from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import litellm
import pytest

from orchestrator import BudgetGuard
from orchestrator.core.errors import InvalidRequestError
from orchestrator.metering.response_items import responses_size
from tests.metering import test_budget_guard as with_guard
from tests.metering import test_leaving as with_hooks
from tests.metering.test_budget_guard import HELLO, operations, sources, standing
from tests.metering.test_leaving import CALLED, PADDING, Meddling
from tests.providers import test_one_attempt as with_host
from tests.providers.test_one_attempt import OPENAI, TOOL

make_guard, openai_host = with_guard.make_guard, with_host.openai_host
listed = with_hooks.listed

TURNS = [
    {"role": "system", "content": "Trả lời ngắn."},
    {"role": "user", "content": [{"type": "text", "text": "Đơn DH1?"}, {"type": "text", "text": "Nhanh."}]},
    {
        "role": "assistant",
        "content": "Xem đã.",
        "tool_calls": [CALLED, {**CALLED, "id": "call_2"}, {**CALLED, "id": "call_3"}],
    },
    *({"role": "tool", "tool_call_id": f"call_{number}", "content": "Huế"} for number in (1, 2, 3)),
]
CALLS = {
    "plain": {},
    "turns": {"messages": TURNS},
    "format": {"response_format": with_hooks.Person},
    "effort": {"reasoning_effort": "high"},
}


@pytest.fixture
def address(openai_host: ThreadingHTTPServer) -> str:
    return f"http://api.openai.com:{openai_host.server_address[1]}/v1"


@pytest.fixture
def guard(make_guard, address: str) -> BudgetGuard:
    return make_guard({"providers": {"openai": {"base_url": address}}})


@pytest.fixture
def asked(address: str) -> dict[str, Any]:
    """The arguments that lead LiteLLM over the Responses API to a server of ours."""
    return {"model": OPENAI, "messages": HELLO, "max_tokens": 50, "tools": [TOOL], "api_base": address, "api_key": "k"}  # fmt: skip


async def ask(how: str, arguments: dict[str, Any]) -> None:
    if how == "completion":
        litellm.completion(**arguments)
    elif how == "acompletion":
        await litellm.acompletion(**arguments)
    elif how == "stream":
        assert list(litellm.completion(**arguments, stream=True))
    else:
        assert [chunk async for chunk in await litellm.acompletion(**arguments, stream=True)]


HOWS = ["completion", "acompletion", "stream", "astream"]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("more", CALLS)
async def test_an_honest_call_is_one_send_and_booked_as_it_was_used(
    guard, openai_host: Any, asked: dict[str, Any], how: str, more: str
) -> None:
    await ask(how, {**asked, **CALLS[more]})
    assert [path for path, _ in openai_host.seen] == ["/v1/responses"]
    assert openai_host.seen[0][1]["max_output_tokens"] == 50
    assert sources(guard) == ["price_book"]
    spent, held = standing(guard)
    assert spent > 0
    assert held == 0


@pytest.fixture
def changed_on_its_way() -> Iterator[Callable[[dict[str, Any]], None]]:
    """Change what LiteLLM writes for the Responses API, in the place of a later version or a setting."""
    from litellm.completion_extras.litellm_responses_transformation import handler

    kind = handler.ResponsesToCompletionBridgeHandler().transformation_handler.__class__
    before = kind.transform_request

    def change(changes: dict[str, Any]) -> None:
        kind.transform_request = lambda *args, **kwargs: {**before(*args, **kwargs), **changes}

    yield change
    kind.transform_request = before


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"max_output_tokens": 4_000}, "more than money is held for"),
        ({"max_output_tokens": None}, "more than money is held for"),
        ({"input": PADDING}, "more than money is held for"),
        ({"instructions": PADDING}, "more than money is held for"),
        ({"extra_body": {"model": "gpt-6-astra"}}, "would not ask"),
        ({"tools": [{"type": "web_search"}]}, "function tools alone"),
        ({"previous_response_id": "resp_1"}, "'previous_response_id'"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "'item_reference'"),
        ({"background": True}, "'background'"),
        ({"service_tier": "priority"}, "'service_tier'"),
        ({"api_base": "http://127.0.0.1:9/v1"}, "another host"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
async def test_what_nothing_is_held_for_does_not_leave(
    guard, openai_host: Any, asked: dict[str, Any], changed_on_its_way, how: str, changes: dict[str, Any], why: str
) -> None:  # fmt: skip
    changed_on_its_way(changes)
    with pytest.raises(InvalidRequestError, match=why):
        await ask(how, asked)
    assert openai_host.seen == []
    assert standing(guard) == (0, 0)
    assert [row[0] for row in operations(guard)] == ["failed"]


async def test_a_hook_changes_nothing_on_the_way_to_the_other_api(
    guard, openai_host: Any, asked: dict[str, Any], listed
) -> None:
    listed(Meddling({"max_output_tokens": 4_000}))
    with pytest.raises(InvalidRequestError, match="nothing was sent"):
        await litellm.acompletion(**asked)
    assert (openai_host.seen, standing(guard)) == ([], (0, 0))


def test_thoughts_that_the_vendor_has_kept_have_any_length() -> None:
    size = responses_size({"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]})
    assert size.messages == [{"role": "user", "content": [{"type": "file", "file": {}}]}]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_file", "file_url": "https://example.com/a.pdf"},
        {"type": "input_image", "file_id": "file-1"},
        {"type": "a kind of later", "image_url": "https://example.com/a.png"},
    ],
)
def test_a_file_is_a_file_whatever_text_stands_in_it(part: dict[str, str]) -> None:
    """It may fill a context, and a letter of text in it would have been all that is held for."""
    body = {"input": [{"role": "user", "content": [{**part, "text": "a"}]}], "max_output_tokens": 9}
    (message,) = responses_size(body).messages
    assert message["content"] == [{"type": "file", "file": {}}]
