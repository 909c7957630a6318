"""A 4xx that is the provider's own matter is no fault of the caller's: the next deployment answers."""

import pytest

from orchestrator import CacheUse, Orchestrator
from orchestrator.practice import PracticeServer

FIRST_OF = {
    "openrouter": "openrouter/gpt-6-luna",
    "google": "google/gemini-3.8-flash",
    "openai": "openai/gpt-6-luna",
}
REFUSALS = {
    "more output than it writes": ("status=400,reason=output_limit", "output_limit"),
    "more than a minute's tokens": ("status=429,reason=request_too_large", "unsupported"),
    "not at this location": ("status=400,reason=location", "unauthorized"),
    "not at this location, 403": ("status=403,reason=location", "unauthorized"),
    "a deprecated model": ("status=400,reason=deprecated_model", "model_not_found"),
    "a narrower schema": ("status=422,reason=schema", "unsupported"),
    "a page of HTML": ("status=400,reason=html", "server_error"),
    "nothing": ("status=400,reason=empty", "server_error"),
    "four megabytes": ("status=400,reason=huge", "server_error"),
    "four megabytes with 500": ("status=500,reason=huge", "server_error"),
    "a conflict": ("status=409", "unavailable"),
    "a teapot": ("status=418", "server_error"),
    "a header that is too long": ("status=431", "server_error"),
    "a filter": ("status=400,reason=content_filter", "content_filtered"),
}


def orchestrator_of(make_orchestrator, first: str) -> Orchestrator:
    """An orchestrator that asks the first provider, and then each of the others."""
    others = [
        {"deployment": name, "reason": "a test"} for name in FIRST_OF.values() if name != FIRST_OF[first]
    ]
    use_case = {
        "primary": {"deployment": FIRST_OF[first], "reason": "a test"},
        "fallbacks": others,
        "on_filtered": "next_model",
    }
    return make_orchestrator({"local_model": {"enabled": False}, "use_cases": {"customer_service": use_case}})


@pytest.mark.parametrize("provider", FIRST_OF)
@pytest.mark.parametrize(("fault", "failure"), REFUSALS.values(), ids=REFUSALS)
def test_the_next_deployment_answers(
    make_orchestrator, practice: PracticeServer, stopwatch, provider: str, fault: str, failure: str
) -> None:
    orchestrator = orchestrator_of(make_orchestrator, provider)
    orchestrator.warm_up()
    practice.faults.add(f"{provider}:{fault}")
    watch = stopwatch()
    reply = orchestrator.complete("Xin chào", cache=CacheUse.OFF, max_tokens=50)
    assert watch.took_s() < 2
    assert reply.provider != provider
    assert {row.failure for row in reply.attempts if row.provider == provider} == {failure}
    spent = {row.cost_nusd for row in reply.attempts if row.failure and row.failure != "content_filtered"}
    assert spent <= {0}
