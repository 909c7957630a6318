"""An attempt over our wire: told of everything that happens to it, in order, and of no other one's fate."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from orchestrator import CacheUse, Orchestrator
from orchestrator.core.errors import (
    AllProvidersFailedError,
    DeadlineExceededError,
    LocalModelError,
    RejectedByProviderError,
)
from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.core.reply import CostSource, Usage
from orchestrator.dispatch.transport import AttemptSource
from orchestrator.practice import PracticeServer
from orchestrator.providers.local.model import LocalModel
from orchestrator.providers.openrouter import NOT_OFFERED
from orchestrator.providers.wire.http import WireClient
from orchestrator.providers.wire.transport import WireTransport

ONCE = {"retry_profiles": {"interactive": {"attempts_per_deployment": 1, "max_recovery_wait_s": 0}}}
BRIDGED_FIRST = {
    "use_cases": {
        "customer_service": {
            "primary": {"deployment": "openai/gpt-6.1-sol", "reason": "a test"},
            "fallbacks": [{"deployment": "google/gemini-3.8-flash", "reason": "a test"}],
        }
    }
}
GOOGLE, OPENAI = "google/gemini-3.8-flash", "openai/gpt-6-luna"


class PlainWalker:
    """Asks one deployment after the other, as LiteLLM's Router does, without it."""

    is_ready = True

    async def get_ready(self) -> None:
        """Do nothing."""

    async def walk(self, failed: str, source: AttemptSource, ask: Callable[[str], Awaitable[bool]]) -> None:
        names = source.upcoming()
        assert failed not in names
        for name in names:
            if await source.admit(name) and await ask(name):
                return


class Bridge:
    """Answers nothing, and notes what it was handed."""

    is_ready = True

    def __init__(self) -> None:
        self.sources: list[AttemptSource] = []

    async def get_ready(self) -> None:
        """Do nothing."""

    async def send(self, source: AttemptSource) -> None:
        self.sources.append(source)


class SlowWalker(PlainWalker):
    """Loads for as long as the test wants, and counts."""

    is_ready = False

    def __init__(self) -> None:
        self.loads = self.walks = 0
        self.may_be_loaded = asyncio.Event()

    async def get_ready(self) -> None:
        self.loads += 1
        await self.may_be_loaded.wait()
        self.is_ready = True

    async def walk(self, failed: str, source: AttemptSource, ask: Callable[[str], Awaitable[bool]]) -> None:
        self.walks += 1
        await super().walk(failed, source, ask)


@pytest.fixture
def walk(make_orchestrator, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Orchestrator]:
    """Make orchestrators whose wire is walked without LiteLLM."""

    def make(
        bridge: Bridge | None = None,
        walker: PlainWalker | None = None,
        *,
        changes: dict[str, Any] | None = None,
        **environment: str,
    ) -> Orchestrator:
        def opened(_catalog: Any, local_model: LocalModel, connections: Any) -> WireTransport:
            client: WireClient = connections.wire
            return WireTransport(
                walker or PlainWalker(), client=client, local_model=local_model, bridge=bridge or Bridge()
            )

        monkeypatch.setattr("orchestrator.client.open_transport", opened)
        return make_orchestrator(ONCE | (changes or {}), **environment)

    return make


def ask(orchestrator: Orchestrator, prompt: Any = "Xin chào", **overrides: Any):
    return orchestrator.complete(prompt, cache=CacheUse.OFF, max_tokens=50, **overrides)


def test_it_needs_no_litellm_to_walk(walk, practice: PracticeServer) -> None:
    practice.faults.add("openrouter:status=503")
    reply = ask(walk())
    assert reply.attempts[0].failure == "unavailable"
    assert reply.provider == "google"


async def test_no_request_waits_for_what_walks_to_be_loaded(walk, practice: PracticeServer) -> None:
    """LiteLLM takes seconds: until it is there the way goes on by itself, past a provider that is down."""
    walker = SlowWalker()
    orchestrator = walk(walker=walker)
    practice.faults.add("openrouter:status=503")
    for number in range(3):
        reply = await orchestrator.acomplete(f"Câu {number}", cache=CacheUse.OFF, max_tokens=50)
        assert reply.provider == "google"
        assert walker.loads == (number > 0), "with the second request, and once"
    assert walker.walks == 0
    loaded = orchestrator._loop.submit(_set(walker.may_be_loaded))
    await asyncio.wrap_future(loaded.future)
    # The first provider's circuit is open by now.
    practice.faults.add("google:status=503")
    await orchestrator.acomplete("Câu cuối", cache=CacheUse.OFF, max_tokens=50)
    assert walker.walks == 1


def test_what_walks_is_asked_only_behind_a_failure(walk, practice: PracticeServer) -> None:
    """A call that is answered at once has nothing to be walked through; most are."""
    walker = SlowWalker()
    walker.is_ready = True
    orchestrator = walk(walker=walker)
    assert (ask(orchestrator).provider, walker.walks) == ("openrouter", 0)
    practice.faults.add("openrouter:status=503")
    assert (ask(orchestrator).provider, walker.walks) == ("google", 1)


async def test_what_cannot_be_loaded_is_told_and_done_without(
    walk, practice: PracticeServer, caplog: pytest.LogCaptureFixture
) -> None:
    walker = SlowWalker()
    walker.get_ready = _broken  # type: ignore[method-assign]
    orchestrator = walk(walker=walker)
    for number in range(3):
        assert (await orchestrator.acomplete(f"Câu {number}", cache=CacheUse.OFF, max_tokens=50)).text
    assert "what walks the fallbacks cannot be loaded: ImportError" in caplog.text


async def _set(event: asyncio.Event) -> None:
    event.set()
    await asyncio.sleep(0)


async def _broken() -> None:
    raise ImportError("no such module")


def test_what_an_answer_says_of_itself_is_a_notice_of_the_reply(walk) -> None:
    reply = ask(walk(), model="openai/gpt-6.1-sol", stop=["."])
    assert any("'stop'" in notice and "left out" in notice for notice in reply.notices), reply.notices


def test_a_model_that_no_host_of_openrouter_offers_is_told_with_its_price(
    walk, practice: PracticeServer
) -> None:
    practice.faults.add("openrouter:status=404")
    with pytest.raises(AllProvidersFailedError) as caught:
        ask(walk(), model="openrouter/gpt-6-luna")
    assert NOT_OFFERED in {step.reason for step in caught.value.steps}


def test_a_404_of_another_provider_is_told_as_it_is(walk, practice: PracticeServer) -> None:
    practice.faults.add("openai:status=404")
    with pytest.raises(AllProvidersFailedError) as caught:
        ask(walk(), model=OPENAI)
    assert NOT_OFFERED not in {step.reason for step in caught.value.steps}


def test_what_cannot_be_written_was_not_sent_and_costs_nothing(walk, practice: PracticeServer) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    with pytest.raises(RejectedByProviderError, match="cannot be written .* 'tool_choice' must be auto"):
        ask(walk(), model=GOOGLE, tools=[tool], tool_choice={"type": "allowed_tools"})
    assert practice.requests == ()


async def test_a_local_model_that_does_not_start_is_unreachable_and_says_why(
    walk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_address(_: LocalModel) -> str:
        raise LocalModelError("no model here: run orchestrator setup")

    monkeypatch.setattr(LocalModel, "base_url", no_address)
    orchestrator = walk()
    local = next(d.name for d in orchestrator.config.catalog.deployments.values() if d.is_local)
    with pytest.raises(AllProvidersFailedError) as caught:
        await orchestrator.acomplete("Xin chào", model=local, cache=CacheUse.OFF)
    (step,) = caught.value.steps
    assert (step.failure, step.reason) == ("unreachable", "no model here: run orchestrator setup")


def test_a_fault_of_our_own_at_one_answer_goes_on_to_the_next(
    walk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged by its type alone, booked as what may have been billed, and no reason to give up."""
    call = WireClient.call

    async def faulty(self: WireClient, outbound: Any, **listeners: Any) -> Any:
        if "openrouter" in outbound.base_url:
            listeners["on_sent"]()
            raise ZeroDivisionError("Nguyễn Thị Bí Mật")
        return await call(self, outbound, **listeners)

    monkeypatch.setattr(WireClient, "call", faulty)
    reply = ask(walk())
    first = reply.attempts[0]
    assert (reply.provider, first.failure) == ("google", FailureKind.UNKNOWN)
    assert first.cost_source is CostSource.BOUND
    assert "ZeroDivisionError" in caplog.text
    assert "Bí Mật" not in caplog.text


def test_a_stream_of_no_words_fails_like_a_whole_answer(walk, practice: PracticeServer) -> None:
    """Until the first words the walk itself goes on, without a new choice."""
    practice.faults.add("openrouter:error_in_200")
    stream = walk().stream("Xin chào", cache=CacheUse.OFF, max_tokens=50)
    assert "".join(delta.text for delta in stream) == stream.reply.text != ""
    assert stream.reply.provider == "google"


def test_what_the_wire_does_not_speak_crosses_the_bridge_alone(walk, practice: PracticeServer) -> None:
    """The bridge gets the one attempt: behind it nothing, so that it chooses no fallback of its own."""
    bridge = Bridge()
    orchestrator = walk(bridge, OPENAI_BASE_URL="https://api.openai.com/v1")
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    seen: list[Any] = []

    async def send(source: AttemptSource) -> None:
        seen.append((source.current.name, source.upcoming(), await source.admit(GOOGLE), source.streams))
        source.current.fail(Failure(FailureKind.UNAVAILABLE, 503))

    bridge.send = send  # type: ignore[method-assign]
    with pytest.raises(AllProvidersFailedError):
        ask(orchestrator, model="openai/gpt-6.1-sol", tools=[tool])
    assert seen == [("openai/gpt-6.1-sol", (), False, False)]
    assert practice.requests == ()


class SlowBridge(Bridge):
    """Loads for as long as the test wants, and answers then."""

    is_ready = False

    def __init__(self) -> None:
        super().__init__()
        self.may_be_loaded = asyncio.Event()
        self.loads = 0

    async def get_ready(self) -> None:
        self.loads += 1
        await self.may_be_loaded.wait()
        self.is_ready = True

    async def send(self, source: AttemptSource) -> ProviderAnswer:
        source.current.start()
        source.current.mark_sent()
        return ProviderAnswer("Chào", (), "stop", Usage(10, 5), None, None)


TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def test_a_request_that_waits_for_litellm_to_load_says_so(walk) -> None:
    bridge = SlowBridge()
    bridge.may_be_loaded.set()
    orchestrator = walk(bridge, OPENAI_BASE_URL="https://api.openai.com/v1")
    reply = ask(orchestrator, model="openai/gpt-6.1-sol", tools=[TOOL])
    assert reply.text == "Chào"
    assert any("call warm_up() while a program starts" in notice for notice in reply.notices)
    bridge.is_ready = True
    assert ask(orchestrator, "Câu sau", model="openai/gpt-6.1-sol", tools=[TOOL]).notices == ()


def test_a_deadline_that_comes_while_litellm_loads_says_what_to_do_and_loses_nothing(walk) -> None:
    """The caller's ten seconds are ten seconds; the loading goes on, and the next request finds it done."""
    bridge = SlowBridge()
    orchestrator = walk(bridge, OPENAI_BASE_URL="https://api.openai.com/v1")
    with pytest.raises(DeadlineExceededError, match=r"warm_up\(\) while a program starts"):
        ask(orchestrator, model="openai/gpt-6.1-sol", tools=[TOOL], deadline_s=0.5)
    standing = next(each for each in orchestrator.standings() if each.scope == "all")
    assert (standing.spent, standing.held) == (0, 0)
    assert bridge.loads == 1
    orchestrator._loop.submit(_set(bridge.may_be_loaded)).future.result()
    assert ask(orchestrator, model="openai/gpt-6.1-sol", tools=[TOOL]).text == "Chào"
    assert bridge.loads == 1


def test_whoever_needs_no_loading_answers_meanwhile(walk, practice: PracticeServer) -> None:
    """With ten seconds to go a request waited in vain, though the next provider was well."""
    bridge = SlowBridge()
    orchestrator = walk(bridge, OPENAI_BASE_URL="https://api.openai.com/v1", changes=BRIDGED_FIRST)
    reply = ask(orchestrator, tools=[TOOL], deadline_s=8)
    assert reply.provider == "google"
    first = reply.attempts[0]
    assert (first.deployment, first.failure, first.cost_nusd) == ("openai/gpt-6.1-sol", "timeout", 0)
    assert bridge.loads == 1
