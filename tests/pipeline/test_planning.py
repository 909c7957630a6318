"""A call goes on with a plan, or ends with the error that says why no deployment may serve it."""

from datetime import UTC, datetime

import pytest

from orchestrator.core.errors import (
    BudgetExceededError,
    PromptTooLargeError,
    UnavailableError,
    UnknownNameError,
)
from orchestrator.core.money import NanoUsd, nano_usd
from orchestrator.pipeline.planning import Planning
from tests.support.step_bench import Following, StepBench


async def test_the_following_step_gets_the_plan_and_the_size_it_was_made_for(bench) -> None:
    following = Following()
    call = bench.call("Xin chào", model="openai/gpt-6-luna")
    await Planning(bench.services, following)(call)
    planned = following.calls[0].planned
    assert planned is not None
    assert [candidate.deployment for candidate in planned.plan.asked] == ["openai/gpt-6-luna"]
    assert planned.size.input_bound_tokens >= planned.size.input_expected_tokens > 0
    assert call.trace.plan is planned.plan


@pytest.mark.parametrize(
    ("prompt", "fields", "error"),
    [
        ("xin chào " * 700_000, {"model": "openai/gpt-6-luna"}, PromptTooLargeError),
        ("Xin chào", {"max_cost_nusd": NanoUsd(1)}, BudgetExceededError),
    ],
)
async def test_what_no_deployment_may_serve_goes_no_further(bench, prompt, fields, error) -> None:
    following = Following()
    call = bench.call(prompt, **fields)
    with pytest.raises(error):
        await Planning(bench.services, following)(call)
    assert following.calls == []
    assert call.trace.plan is None


async def test_a_misspelt_model_is_told_before_the_call_begins(bench) -> None:
    """As a misspelt use case or profile is: nothing is loaded, waited for or booked."""
    with pytest.raises(UnknownNameError, match="gpt-6-lunar"):
        bench.call(model="gpt-6-lunar")
    assert not bench.services.ledger.exists


async def test_a_plan_without_any_deployment_says_why_of_each(make_config, clock) -> None:
    keys = {"OPENROUTER_API_KEY": "", "GEMINI_API_KEY": "", "OPENAI_API_KEY": ""}
    bench = StepBench(make_config({"local_model": {"enabled": False}}, **keys), clock)
    with pytest.raises(UnavailableError) as caught:
        await Planning(bench.services, Following())(bench.call())
    assert str(caught.value) == (
        "no deployment may serve this request (no key is set for openrouter, google, openai: "
        "set OPENROUTER_API_KEY, GEMINI_API_KEY or OPENAI_API_KEY; "
        "local/smollm2-135m-instruct: 'local_model.enabled: false' in config.yaml)"
    )
    bench.close()


PICTURE_BY_ADDRESS = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


def test_a_picture_by_its_address_is_held_for_as_all_that_a_model_reads_and_the_error_says_so(
    make_orchestrator,
) -> None:
    """Our own limit of the context may be lower than what its vendor reads, and bills at a dearer rate."""
    orchestrator = make_orchestrator()
    model = orchestrator.config.catalog.deployments["openai/gpt-6-luna"].model
    assert model.most_tokens > model.context_tokens
    ask = {"model": "gpt-6-luna", "max_tokens": 10}
    plan = orchestrator.explain([{"role": "user", "content": [PICTURE_BY_ADDRESS]}], **ask)
    assert {candidate.input_bound_tokens for candidate in plan.asked} == {model.most_tokens}
    with pytest.raises(
        BudgetExceededError, match=r"a picture by its address, counts for all .* max_cost_nusd\."
    ):
        orchestrator.complete(
            [{"role": "user", "content": [PICTURE_BY_ADDRESS]}], max_cost_nusd=nano_usd("0.01"), **ask
        )


def test_a_file_that_does_not_tell_its_tokens_is_planned_for_as_a_whole_context(make_orchestrator) -> None:
    orchestrator = make_orchestrator({"budgets": {"limits": [{"scope": "all", "request": 90}]}})
    pdf = {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0xLjc=", "filename": "a"}}
    plan = orchestrator.explain([{"role": "user", "content": [pdf]}], max_tokens=10)
    catalog = orchestrator.config.catalog
    assert plan.asked
    for candidate in plan.asked:
        context = catalog.deployments[candidate.deployment].model.most_tokens
        price = catalog.price_of(candidate.deployment).on(datetime.now(UTC).date())
        bound = price.bound_of(input_tokens=context, output_tokens=10)
        assert (candidate.input_bound_tokens, candidate.bound_nusd) == (context, bound)
