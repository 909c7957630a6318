"""Faults and charges, over real HTTP."""

import contextlib
import re
import time

import httpx
import pytest

from orchestrator.practice import BilledWhen, Delivered, PracticeAnswer, PracticeServer, Scripted

PROVIDERS = ["openrouter", "openai", "google"]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_status_fault_costs_nothing_and_is_over_after_its_times(caller, provider, stream):
    """503 once, then an answer."""
    caller.server.faults.add(f"{provider}:status=503,times=1")
    failed = caller.post(provider, stream=stream)
    assert failed.status_code == 503
    assert "error" in failed.json()
    assert caller.post(provider, stream=stream).status_code == 200
    assert caller.server.bill.count() == 1


def test_a_rate_limit_tells_its_delay(caller):
    """In the header that clients read."""
    caller.server.faults.add("openrouter:status=429,retry_after_s=2")
    assert caller.post("openrouter").headers["retry-after"] == "2"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_cut_stream_costs_its_input_and_what_was_sent(caller, provider):
    """Three pieces, then the connection closes without an end."""
    caller.server.faults.add(f"{provider}:cut_stream=3,times=1")
    received: list[bytes] = []
    with (
        caller.http.stream("POST", **caller.sent(provider, stream=True)) as response,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        received.extend(response.iter_raw())
    text = b"".join(received).decode()
    assert caller.text_of(text, provider) == "This is a"
    assert "[DONE]" not in text
    assert caller.server.bill.wait_for(1)
    (charge,) = caller.server.bill.charges
    assert (charge.delivered, charge.output_tokens) == (Delivered.PARTIAL, 3)
    assert charge.input_tokens > 0


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_ended_stream_is_complete_for_http_only(caller, provider):
    """No finish reason, no end mark, and no usage but Gemini's, which comes with every event."""
    caller.server.faults.add(f"{provider}:end_stream=2")
    text = caller.post(provider, stream=True).text
    assert caller.text_of(text, provider) == "This is"
    assert "[DONE]" not in text
    assert "finishReason" not in text
    assert not any(event.get("usage") for event in caller.events(text))


def test_a_fault_after_more_pieces_than_there_are_comes_at_the_end(caller):
    """It is never lost."""
    caller.server.faults.add("openai:end_stream=1000")
    assert "[DONE]" not in caller.post("openai", stream=True).text


def test_a_stalled_stream_is_charged_though_nobody_read_on(caller):
    """The client waits in vain; the tokens until then are on the bill at once."""
    caller.server.faults.add("openai:stall_stream=2")
    with pytest.raises(httpx.ReadTimeout):
        caller.http.request("POST", **caller.sent("openai", stream=True), timeout=0.2)
    (charge,) = caller.server.bill.charges
    assert charge.delivered is Delivered.PARTIAL
    caller.server.wait_idle()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_malformed_chunk_is_one_event_that_is_not_json(caller, provider):
    """The stream goes on behind it; in one piece the body is broken JSON."""
    caller.server.faults.add(
        f"{provider}:malformed_chunk=1",
    )
    text = caller.post(provider, stream=True).text
    with pytest.raises(ValueError, match=r"Unterminated|Expecting|Invalid"):
        caller.events(text)
    whole = caller.post(provider)
    assert whole.status_code == 200
    with pytest.raises(ValueError, match=r"Unterminated|Expecting|Invalid"):
        whole.json()


@pytest.mark.parametrize("stream", [False, True])
def test_a_malformed_body_is_a_page_of_html(caller, stream):
    """With status 200, for nothing."""
    caller.server.faults.add("openai:malformed_body")
    response = caller.post("openai", stream=stream)
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html")
    assert caller.server.bill.count() == 0


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("stream", [False, True])
def test_empty_content_finishes_as_if_all_were_well(caller, provider, stream):
    """200, an ordinary end, no output tokens."""
    caller.server.faults.add(f"{provider}:empty_content")
    response = caller.post(provider, stream=stream)
    assert response.status_code == 200
    if stream:
        assert caller.text_of(response.text, provider) == ""
    charge = caller.server.bill.charges[-1]
    assert (charge.output_tokens, charge.delivered) == (0, Delivered.WHOLE)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_error_in_200_is_a_body_or_an_event(caller, provider):
    """Before the first piece it costs nothing, after it what was sent."""
    caller.server.faults.add(f"{provider}:error_in_200=502")
    assert caller.post(provider).json()["error"]["code"] in (502, None)
    assert "error" in caller.events(caller.post(provider, stream=True).text)[-1]
    assert caller.server.bill.count() == 0
    caller.server.faults.clear()
    caller.server.faults.add(f"{provider}:error_in_200=502,after_chunks=2")
    assert "error" in caller.events(caller.post(provider, stream=True).text)[-1]
    assert caller.server.bill.charges[-1].output_tokens == 2


def test_openrouter_sends_comments_while_the_first_token_is_slow(caller):
    """Headers and keep-alives come at once, the answer later."""
    caller.server.faults.add("openrouter:slow_first_token=0.3")
    began_s = time.monotonic()
    with caller.http.stream("POST", **caller.sent("openrouter", stream=True)) as response:
        parts = response.iter_text()
        assert next(parts) == ": OPENROUTER PROCESSING\n\n"
        assert time.monotonic() - began_s < 0.25
        rest = "".join(parts)
    assert time.monotonic() - began_s >= 0.3
    assert caller.text_of(rest, "openrouter").startswith("This is")


def test_a_slow_answer_in_one_piece_comes_late(caller):
    """The same fault for an answer that does not stream."""
    caller.server.faults.add("google:slow_first_token=0.2")
    began_s = time.monotonic()
    assert caller.post("google").status_code == 200
    assert time.monotonic() - began_s >= 0.2


@pytest.mark.parametrize("kind", ["cut_stream", "stall_stream", "end_stream"])
def test_stream_faults_break_an_answer_in_one_piece_too(caller, kind):
    """Half a body, and the answer is charged."""
    caller.server.faults.add(f"openai:{kind},times=1")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadTimeout)):
        caller.http.request("POST", **caller.sent("openai"), timeout=0.3)
    assert caller.server.bill.wait_for(1)
    assert caller.server.bill.charges[0].delivered is Delivered.PARTIAL


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_abandoned_stream_costs_what_was_sent_until_then(provider, caller):
    """The server notices that the client has gone."""
    with PracticeServer(piece_latency_s=0.03) as slow:
        caller.server = slow
        with caller.http.stream("POST", **caller.sent(provider, stream=True)) as response:
            parts, received = response.iter_text(), ""
            while not caller.text_of(received, provider):
                received += next(parts)
        assert slow.bill.wait_for(1)
        (charge,) = slow.bill.charges
        assert charge.delivered is Delivered.PARTIAL
        assert 0 < charge.output_tokens < 15
        slow.wait_idle()


def test_an_abandoned_answer_in_one_piece_is_charged_in_full(caller):
    """The provider finished it, though nobody was there to take it."""
    with PracticeServer(seed_latency_s=0.3) as slow:
        caller.server = slow
        with pytest.raises(httpx.ReadTimeout):
            caller.http.request("POST", **caller.sent("openai"), timeout=0.1)
        assert slow.bill.wait_for(1)
        (charge,) = slow.bill.charges
        assert charge.delivered is Delivered.NOTHING
        assert charge.output_tokens > 10


ACCEPTED_FAULTS = [
    "reset",
    "cut_stream=1",
    "end_stream=1",
    "malformed_chunk=1",
    "malformed_body",
    "error_in_200=502",
    "error_in_200=502,after_chunks=1",
    "odd_answer=no_usage",
]


@pytest.fixture
def billing_on_acceptance(caller):
    """The caller of a server that bills when it accepts."""
    with PracticeServer(billed_when=BilledWhen.ACCEPTED) as server:
        caller.server = server
        yield caller


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("stream", [False, True])
def test_whoever_bills_when_it_accepts_bills_the_whole_answer_whatever_comes_of_it(
    billing_on_acceptance, provider, stream
):
    billing_on_acceptance.post(provider, stream=stream)
    for fault in ACCEPTED_FAULTS:
        billing_on_acceptance.server.faults.add(f"{provider}:{fault},times=1")
        with contextlib.suppress(httpx.TransportError):
            billing_on_acceptance.post(provider, stream=stream)
    charges = billing_on_acceptance.server.bill.charges
    assert len(charges) == len(ACCEPTED_FAULTS) + 1
    assert {charge.cost_nusd for charge in charges} == {charges[0].cost_nusd}
    assert charges[0].output_tokens > 5


@pytest.mark.parametrize("provider", PROVIDERS)
def test_whoever_bills_when_it_accepts_bills_what_never_comes_and_no_refusal(billing_on_acceptance, provider):
    server = billing_on_acceptance.server
    server.faults.add(f"{provider}:status=503,times=1", f"{provider}:silence,times=1")
    assert billing_on_acceptance.post(provider).status_code == 503
    with pytest.raises(httpx.ReadTimeout):
        billing_on_acceptance.http.request(
            "POST", **billing_on_acceptance.sent(provider), timeout=httpx.Timeout(300, read=0.05)
        )
    assert server.bill.wait_for(1)
    assert server.bill.count() == 1


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "fault", ["wrong_types", "no_choices", "odd_answer=unknown_finish", "odd_answer=thought_only"]
)
def test_a_body_that_counts_its_tokens_is_billed_as_it_says(billing_on_acceptance, provider, stream, fault):
    billing_on_acceptance.server.faults.add(f"{provider}:{fault}")
    text = billing_on_acceptance.post(provider, stream=stream).text
    (charge,) = billing_on_acceptance.server.bill.charges
    assert charge.input_tokens == 5
    assert re.search(
        rf'"(completion_tokens|candidatesTokenCount|thoughtsTokenCount)":{charge.output_tokens}\b', text
    )


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("stream", [False, True])
def test_unseen_thoughts_are_output_of_which_the_usage_alone_tells(caller, provider, stream):
    answer = PracticeAnswer("Hi there", reasoning_tokens=30)
    with PracticeServer(answerer=Scripted(matched={"": answer})) as server:
        caller.server = server
        body = None if provider == "google" else {"stream_options": {"include_usage": True}}
        text = caller.post(provider, stream=stream, body=body).text
        (charge,) = server.bill.charges
    assert charge.output_tokens == 32
    assert re.search(r'"(reasoning_tokens|thoughtsTokenCount)":30\b', text)
