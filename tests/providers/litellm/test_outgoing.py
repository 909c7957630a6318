"""What leaves says that it writes no more than is held, and leaves once."""

from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from orchestrator.core.failures import FailureKind
from orchestrator.providers.litellm.outgoing import (
    SecondSendError,
    UnboundedRequestError,
    UnsendableHeaderError,
    check_outgoing,
)
from orchestrator.providers.litellm.provider_words import ProviderWords
from orchestrator.providers.litellm.sending import Sending


class Attempt:
    """What is asked of an attempt, and what it is told."""

    max_tokens, number = 100, 1
    was_sent = False

    def __init__(self) -> None:
        self.remarks: list[str] = []

    def remark(self, text: str) -> None:
        self.remarks.append(text)


def sending(**fields: Any) -> Any:
    return Sending(SimpleNamespace(current=Attempt()), **fields)  # type: ignore[arg-type]


def request(body: Any, **headers: str) -> httpx.Request:
    return httpx.Request("POST", "http://127.0.0.1:9/x", json=body, headers=headers)


@pytest.mark.parametrize(
    "body",
    [
        {"max_tokens": 100},
        {"max_completion_tokens": 7, "n": 1},
        {"max_output_tokens": 100},
        {"generationConfig": {"maxOutputTokens": 100}},
        {"generationConfig": {"max_output_tokens": 100, "candidateCount": 1}},
        {"inferenceConfig": {"maxTokens": 100}},
        {"max_tokens": 100, "thinking": {"type": "enabled", "budget_tokens": 99}},
        {
            "inferenceConfig": {"maxTokens": 100},
            "additionalModelRequestFields": {"thinking": {"budget_tokens": 99}},
        },
        {"max_tokens": 9, "system": [{"text": "ttl", "cache_control": {"type": "ephemeral", "ttl": "5m"}}]},
        {"max_tokens": 9, "tools": [{"parameters": {"properties": {"ttl": {"const": "1h"}}}}]},
    ],
)
def test_what_keeps_its_bound_leaves(body: Any) -> None:
    held = sending()
    check_outgoing(request(body), held)
    assert held.has_left


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"max_tokens": 101},
        {"max_tokens": 0},
        {"max_tokens": True},
        {"max_tokens": "100"},
        {"max_tokens": 50, "max_completion_tokens": 200},
        {"max_tokens": 100, "n": 2},
        {"generationConfig": {"maxOutputTokens": 100, "candidateCount": 2}},
        {"max_tokens": 100, "thinking": {"budget_tokens": 100}},
        {
            "inferenceConfig": {"maxTokens": 100},
            "additionalModelRequestFields": {"thinking": {"budget_tokens": 100}},
        },
        {"max_tokens": 9, "system": [{"text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
        {"inferenceConfig": {"maxTokens": 9}, "tools": [{"cachePoint": {"type": "default", "ttl": "1h"}}]},
    ],
)
def test_what_could_cost_more_than_is_held_stays(body: Any) -> None:
    held = sending()
    with pytest.raises(UnboundedRequestError):
        check_outgoing(request(body), held)
    assert not held.has_left
    assert held.source.current.remarks


def test_an_attempt_leaves_once() -> None:
    """But for the answer to OpenAI's 422, which is not billed."""
    held = sending()
    check_outgoing(request({"max_tokens": 1}), held)
    with pytest.raises(SecondSendError):
        check_outgoing(request({"max_tokens": 1}), held)
    held.last_status = 422
    check_outgoing(request({"max_tokens": 1}), held)


def test_a_header_that_is_none_is_told_by_its_name() -> None:
    broken = request({"max_tokens": 1})
    broken.headers = httpx.Headers([(b"x-key", b"a\nsecret")])
    with pytest.raises(UnsendableHeaderError, match="^x-key$"):
        check_outgoing(broken, None)


def test_what_is_to_be_read_beside_litellm_comes_unpacked() -> None:
    held = sending()
    held.words = ProviderWords()
    leaving = request({"max_tokens": 1}, **{"accept-encoding": "gzip"})
    check_outgoing(leaving, held)
    assert leaving.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(("was_sent", "kind"), [(False, FailureKind.NOT_SENT), (True, FailureKind.MALFORMED)])
def test_nothing_that_fails_after_the_first_byte_was_not_sent(was_sent: bool, kind: FailureKind) -> None:
    held = sending()
    check_outgoing(request({"max_tokens": 100}), held)
    held.source.current.was_sent = was_sent
    unreadable = UnicodeEncodeError("ascii", "à", 0, 1, "a letter of the answer")
    assert held.failure_of(unreadable).kind is kind
