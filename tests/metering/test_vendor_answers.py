"""An answer on its way to a vendor's own client is read for its bill, whatever the client makes of it."""

import json

import httpx
import pytest

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import UnavailableError
from orchestrator.core.failures import FailureKind
from orchestrator.core.provider_answer import AttemptFailedError
from orchestrator.core.reply import Usage
from orchestrator.metering.vendor_answers import AskedAnswer, VendorAnswer
from orchestrator.providers.wire.usage_reading import read_responses_usage

COUNTS = {
    "input_tokens": 100,
    "output_tokens": 20,
    "total_tokens": 120,
    "input_tokens_details": {"cached_tokens": 60},
}
SAID = {"type": "message", "content": [{"type": "output_text", "text": "Chào"}]}
DONE = {"id": "resp_1", "status": "completed", "usage": COUNTS, "output": [SAID]}
SSE = {"content-type": "text/event-stream"}


def heard(
    body: bytes, *, in_pieces=False, path="/v1/responses", status=200, answers=1, **headers
) -> VendorAnswer:
    answer = VendorAnswer(
        ProviderKind.OPENAI, AskedAnswer(64, answers, in_pieces), path=path, clock=SystemClock()
    )
    answer.begin(status, httpx.Headers(headers or {"content-type": "application/json"}))
    for at in range(0, len(body), 7):
        answer.feed(body[at : at + 7])
    return answer


def events(*values) -> bytes:
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)


def test_the_responses_api_counts_by_other_names() -> None:
    assert heard(json.dumps(DONE).encode()).whole().usage == Usage(100, 20, 60)
    stream = events({"type": "response.output_text.delta", "delta": "Chào"}, {"type": "response.completed", "response": DONE})  # fmt: skip
    answer = heard(stream, in_pieces=True, **SSE)
    assert answer.has_content
    assert answer.is_complete
    assert (answer.whole().usage, answer.whole().upstream_id) == (Usage(100, 20, 60), "resp_1")


def test_what_was_written_into_the_cache_is_counted_by_the_responses_api_too() -> None:
    details = {"cached_tokens": 3, "cache_write_tokens": 9000}
    usage = {"input_tokens": 9010, "output_tokens": 2, "total_tokens": 9012, "input_tokens_details": details}
    read = read_responses_usage(usage).usage
    assert (read.input_tokens, read.cached_input_tokens, read.cache_write_tokens) == (9010, 3, 9000)


def test_a_responses_stream_without_its_last_event_broke_off() -> None:
    answer = heard(events({"type": "response.output_text.delta", "delta": "Chào"}), in_pieces=True, **SSE)
    assert not answer.is_complete
    with pytest.raises(AttemptFailedError) as caught:
        answer.whole()
    assert caught.value.failure.kind is FailureKind.INTERRUPTED


def test_a_failed_response_keeps_what_it_used() -> None:
    failed = {**DONE, "status": "failed", "error": {"code": "server_error", "message": "x"}}
    with pytest.raises(AttemptFailedError) as caught:
        heard(json.dumps(failed).encode()).whole()
    assert caught.value.failure.kind is FailureKind.SERVER_ERROR
    assert caught.value.answer is not None
    assert caught.value.answer.usage == Usage(100, 20, 60)


def test_of_several_answers_the_first_to_end_is_not_the_end() -> None:
    counts = {"prompt_tokens": 9, "completion_tokens": 1}
    piece = {"id": "a", "choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}], "usage": counts}  # fmt: skip
    chat = {"in_pieces": True, "path": "/v1/chat/completions", **SSE}
    assert heard(events(piece), **chat).is_complete
    assert not heard(events(piece), answers=2, **chat).is_complete


def test_a_refusal_means_what_it_means_to_our_wire() -> None:
    with pytest.raises(AttemptFailedError) as caught:
        heard(b'{"error":{"code":"context_length_exceeded"}}', status=400, in_pieces=True).whole()
    assert caught.value.failure.kind is FailureKind.CONTEXT_OVERFLOW


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b"[" * 5_000])
def test_what_is_no_answer_may_have_been_billed(body) -> None:
    with pytest.raises(AttemptFailedError) as caught:
        heard(body, path="/v1/chat/completions").whole()
    assert caught.value.failure.policy.billing == "maybe"


@pytest.mark.parametrize(
    "stream", [b'data: {"bro\n\n', b'data: {"error": {"code": 502, "message": "no"}}\n\n']
)
def test_a_stream_that_breaks_is_known_to_be_broken_before_it_ends(stream):
    """A client may leave it open, and what is held for it is settled all the same."""
    answer = VendorAnswer(
        ProviderKind.OPENAI, AskedAnswer(64, 1, True), path="/chat/completions", clock=SystemClock()
    )
    answer.begin(200, httpx.Headers({"content-type": "text/event-stream"}))
    assert not answer.is_broken
    # An error is for the client first, which knows it for one.
    with pytest.raises(UnavailableError):
        assert b"error" in answer.feed(stream)
        answer.feed(b": ping\n\n")
    assert answer.is_broken
    with pytest.raises(AttemptFailedError):
        answer.whole()


def test_a_body_whose_blocks_all_end_with_a_brace_is_not_read_again_with_each() -> None:
    """Each look reads all that has come; a whole answer behind so many of them is known by its end alone."""
    answer = heard(b'{"choices": [', path="/chat/completions")
    looked = 0
    for _ in range(3_000):
        answer.feed(b'{"x": "' + b"a" * 1_000 + b'"},{}')
        looked += answer.has_finished
    answer.feed(b"]}")
    assert (looked, answer.has_finished) == (0, False)
    short = heard(json.dumps({"choices": []}).encode(), path="/chat/completions")
    assert short.has_finished
