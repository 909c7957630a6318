"""A redirect is a failure at every entry, whatever its status says and wherever it points."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.redirecting import Redirecting, redirecting

REDIRECTS = {
    300: "http://{host}:{port}",
    302: "//{host}:{port}",
    305: "http://user:password@{host}:{port}",
    307: "",
    308: "file:///etc",
}
"""Statuses, and where they point; nothing is no Location."""
PROVIDERS = {
    "openrouter": "openrouter/gpt-6-luna",
    "openai": "openai/gpt-6-luna",
    "google": "google/gemini-3.8-flash",
}


@pytest.fixture
def elsewhere() -> Iterator[Redirecting]:
    with redirecting() as seen:
        yield seen


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("status", REDIRECTS)
def test_nothing_reaches_where_a_redirect_points(
    make_orchestrator: Any, elsewhere: Redirecting, name: str, status: int
) -> None:
    """Whole, streamed, embedded, and by a vendor's own client."""
    others = {other: {"api_key": ""} for other in PROVIDERS if other != name}
    provider = {"base_url": elsewhere.url, "api_key": "sk-of-config", "headers": {"X-Team": "secret"}}
    orchestrator = make_orchestrator({"providers": {name: provider, **others}})
    native = orchestrator.native(PROVIDERS[name])
    elsewhere.status, elsewhere.location = status, REDIRECTS[status]
    entries = (
        lambda: orchestrator.complete("q", model=PROVIDERS[name], deadline_s=0.5),
        lambda: list(orchestrator.stream("q", model=PROVIDERS[name], deadline_s=0.5)),
        lambda: orchestrator.embed(["q"], deadline_s=0.5),
        lambda: native.invoke("q"),
        lambda: list(native.stream("q")),
    )
    for ask in entries:
        with pytest.raises(Exception) as caught:
            ask()
        assert "sk-of-config" not in f"{caught.value!r} {vars(caught.value)}"
    assert elsewhere.asked
    assert elsewhere.reached == []
