"""What comes in the place of an answer, over real HTTP."""

import httpx
import pytest

from orchestrator.practice import BilledWhen, Fault, PracticeServer

PROVIDERS = ["openrouter", "openai", "google"]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("status", [301, 307])
def test_a_redirect_leads_to_where_nothing_is_and_the_server_sees_who_follows(
    caller, provider: str, status: int
) -> None:
    caller.server.faults.add(f"{provider}:redirect={status}")
    response = caller.post(provider)
    assert response.status_code == status
    assert not response.content
    followed = caller.http.post(str(response.next_request.url), json={}, headers={"x-goog-api-key": "k"})
    assert followed.status_code == 404
    assert caller.server.requests[-1].path.endswith("/elsewhere")
    assert caller.server.bill.count() == 0


def test_a_redirected_request_is_billed_by_who_bills_what_he_takes() -> None:
    with PracticeServer(billed_when=BilledWhen.ACCEPTED) as server:
        server.faults.add("openai:redirect")
        asked = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
        url = f"{server.base_url('openai')}/chat/completions"
        response = httpx.post(url, json=asked, headers={"Authorization": "Bearer k"}, trust_env=False)
        assert response.status_code == 307
        assert server.bill.total_nusd() > 0


def test_no_other_status_leads_elsewhere() -> None:
    with pytest.raises(ValueError, match="redirect must be one of 301, 302, 303, 307, 308; got 404"):
        Fault.parse("openai:redirect=404")


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("useless", ["thoughts", "spaces", "words"])
def test_a_useless_stream_goes_on_until_nobody_listens(caller, provider: str, useless: str) -> None:
    caller.server.faults.add(f"{provider}:useless={useless},every_s=0.01")
    with caller.http.stream("POST", **caller.sent(provider, stream=True)) as response:
        events, seen = response.iter_lines(), []
        while len(seen) < 5:
            line = next(events)
            if line.startswith("data:"):
                seen.append(line)
    assert ("và" in "".join(seen)) is (useless == "words")
    caller.server.wait_idle()
    (charge,) = caller.server.bill.charges
    assert charge.output_tokens > 0


def test_where_no_stream_is_asked_for_it_is_silent(caller) -> None:
    caller.server.faults.add("openai:useless")
    with pytest.raises(httpx.ReadTimeout):
        caller.http.request("POST", **caller.sent("openai"), timeout=0.2)
    caller.server.wait_idle()
