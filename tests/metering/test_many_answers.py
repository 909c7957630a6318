"""Several answers for one question: held, sent once and booked as billed, at every entry that takes them."""

import litellm
import pytest

from orchestrator.core.errors import InvalidRequestError
from orchestrator.practice import PracticeServer
from tests.metering import test_budget_guard as with_guard
from tests.metering import test_langchain_clients as with_native
from tests.metering.test_budget_guard import MODELS, standing

practice, make_guard, guard, to = (
    with_guard.practice,
    with_guard.make_guard,
    with_guard.guard,
    with_guard.to,
)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("how", ["completion", "acompletion", "stream", "astream"])
async def test_a_guarded_call_for_four_answers_is_booked_as_billed(
    guard, practice: PracticeServer, to, model: str, how: str
) -> None:
    if how == "completion":
        indexes = {choice.index for choice in litellm.completion(**to(model, n=4)).choices}
    elif how == "acompletion":
        indexes = {choice.index for choice in (await litellm.acompletion(**to(model, n=4))).choices}
    elif how == "stream":
        indexes = {
            c.index for chunk in litellm.completion(**to(model, n=4, stream=True)) for c in chunk.choices
        }
    else:
        stream = await litellm.acompletion(**to(model, n=4, stream=True))
        indexes = {c.index async for chunk in stream for c in chunk.choices}
    practice.wait_idle()
    spent, held = standing(guard)
    [charge] = practice.bill.charges
    assert held == 0
    assert charge.cost_nusd > 0
    if how in {"completion", "acompletion"}:
        assert indexes == {0, 1, 2, 3}
    assert spent == charge.cost_nusd


@pytest.mark.parametrize("name", with_native.NAMES)
@pytest.mark.parametrize("how", ["invoke", "ainvoke", "stream", "astream"])
async def test_a_native_client_for_four_answers_is_booked_as_billed(
    practised, name: str, how: str, request: pytest.FixtureRequest
) -> None:
    provider = request.getfixturevalue("practice")
    client = practised.native(name, tenant="acme", max_tokens=40, n=4)
    await with_native._asked(client, how)
    provider.wait_idle()
    [charge] = provider.bill.charges
    spent, held = with_native.standing(practised)
    assert held == 0
    assert charge.cost_nusd > 0
    assert spent == charge.cost_nusd


def test_an_orchestrator_asks_for_one_answer(practised) -> None:
    """It has no word for several; its server says so of OpenAI's."""
    with pytest.raises(InvalidRequestError, match="unknown request field 'n'"):
        practised.complete("Xin chào", n=4)
