"""LiteLLM's Router walks over attempts of ours as their source says, and touches nothing of them."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.config.loader import Config
from orchestrator.providers.litellm.router import CatalogRouter
from orchestrator.providers.litellm.sending import CURRENT_SENDING

FAILED = "openrouter/gpt-6.1-terra"
FIRST, SECOND, THIRD = "openrouter/gpt-6-luna", "google/gemini-3.8-flash", "openai/gpt-6-luna"


class Admitting:
    """A source whose first attempt has failed, and that admits what it is told to."""

    streams = False

    def __init__(self, *names: str, refused: Sequence[str] = ()) -> None:
        self.current: Any = None
        self.asked: list[str] = []
        self._behind, self._refused = names, refused

    def upcoming(self) -> Sequence[str]:
        return self._behind

    async def admit(self, deployment: str) -> bool:
        was_asked = deployment in self.asked
        self.asked.append(deployment)
        if was_asked or deployment in self._refused:
            return False
        self.current = SimpleNamespace(name=deployment)
        return True


@pytest.fixture
def router(make_config) -> CatalogRouter:
    config: Config = make_config()
    return CatalogRouter(config.catalog)


async def walked(router: CatalogRouter, source: Admitting, *, answers: str | None) -> list[str]:
    """Return which deployments were asked behind one that failed when only `answers` gives an answer."""
    sent: list[str] = []

    async def ask(deployment: str) -> bool:
        sent.append(deployment)
        assert source.current.name == deployment
        source.current = source.current if deployment == answers else None
        return deployment == answers

    await router.walk(FAILED, source, ask)
    return sent


async def test_the_first_answer_ends_the_walk_and_no_other_is_admitted(router: CatalogRouter) -> None:
    source = Admitting(FIRST, SECOND)
    assert await walked(router, source, answers=FIRST) == [FIRST]
    assert source.asked == [FIRST]


async def test_each_failure_goes_on_to_what_the_source_admits(router: CatalogRouter) -> None:
    source = Admitting(FIRST, SECOND, THIRD, refused=[SECOND])
    assert await walked(router, source, answers=THIRD) == [FIRST, THIRD]
    assert source.asked == [FIRST, SECOND, THIRD]


async def test_each_is_asked_once_and_the_walk_ends_without_an_error(router: CatalogRouter) -> None:
    """The Router begins its list anew behind each failure; what it has asked it passes over."""
    assert await walked(router, Admitting(FIRST, SECOND, THIRD), answers=None) == [FIRST, SECOND, THIRD]


async def test_what_nobody_is_behind_ends_at_once(router: CatalogRouter) -> None:
    assert await walked(router, Admitting(FIRST, refused=[FIRST]), answers=FIRST) == []


async def test_the_walk_is_over_when_it_has_ended(router: CatalogRouter) -> None:
    """Calls of LiteLLM that the program makes itself afterwards belong to no attempt of ours."""
    await walked(router, Admitting(FIRST), answers=FIRST)
    assert CURRENT_SENDING.get() is None


async def test_an_error_that_is_no_failed_attempt_flies(router: CatalogRouter) -> None:
    async def ask(_: str) -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await router.walk(FAILED, Admitting(FIRST), ask)


async def test_it_gets_ready_once_and_then_stays(router: CatalogRouter) -> None:
    assert not router.is_ready
    await router.get_ready()
    built = router.built()
    assert router.is_ready
    await router.get_ready()
    assert router.built() is built
