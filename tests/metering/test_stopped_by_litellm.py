"""What LiteLLM stops by itself has left for nobody, so it costs nothing, whichever way it was called."""

import litellm
import pytest

from orchestrator import BudgetGuard
from orchestrator.practice import PracticeServer
from tests.metering import test_budget_guard as with_guard
from tests.metering.test_budget_guard import MODELS, sources, standing
from tests.metering.test_leaving import read
from tests.support.settling import wait_for_settling

practice, make_guard, guard, to = (
    with_guard.practice,
    with_guard.make_guard,
    with_guard.guard,
    with_guard.to,
)
WAYS = ["completion", "stream", "acompletion", "astream"]


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize(
    ("model", "changes", "match"),
    [
        (MODELS[0], {"stop": ["."]}, "does not support parameters"),
        (MODELS[1], {"verbosity": "low"}, "does not support parameters"),
        (MODELS[2], {"verbosity": "low"}, "does not support parameters"),
        (MODELS[0], {"api_key": None}, "Missing credentials"),
        (MODELS[1], {"api_key": None}, "Missing Gemini API key"),
    ],
)
async def test_a_call_that_litellm_stops_costs_nothing(
    guard: BudgetGuard, practice: PracticeServer, to, monkeypatch, model: str, changes, match: str, how: str
) -> None:
    """A whole context was booked for one malformed message, so that a mistake in a loop emptied a budget."""
    for name in ("OPENAI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(litellm, "drop_params", False)  # an Orchestrator in this process may have set it
    with pytest.raises(Exception, match=match):
        await read(how, to(model, **changes))
    assert (practice.requests, standing(guard)) == ((), (0, 0))
    assert sources(guard) == ["none"]


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize(
    "argument",
    [
        {"thinking": {"type": "enabled", "budget_tokens": 20}},
        {"safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]},
    ],
)
async def test_what_a_guarded_call_takes_leaves_with_it(
    guard: BudgetGuard, practice: PracticeServer, to, argument, how: str
) -> None:
    """It was refused at the last moment, as if a hook had put it in."""
    await read(how, to("openrouter/anthropic/claude-sonnet-5.5", **argument))
    assert len(practice.requests) == 1
    assert sources(guard) == ["provider"]


def test_a_stream_that_was_never_asked_for_costs_nothing(
    guard: BudgetGuard, practice: PracticeServer, to
) -> None:
    """LiteLLM asks for Gemini's with its first piece."""
    stream = litellm.completion(**to(MODELS[1]), stream=True)
    del stream
    wait_for_settling()
    assert (practice.requests, standing(guard), sources(guard)) == ((), (0, 0), ["none"])
