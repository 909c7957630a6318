"""What many callers get while providers fail in passing, are down for a moment, or have a limit of ours."""

import asyncio
from typing import Any

import pytest

from orchestrator.core.errors import AllProvidersFailedError
from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.core.reply import ChatReply, Delta, Usage
from orchestrator.dispatch.transport import AttemptSource
from tests.support.traffic import TEXT, ByChance, traffic, whole
from tests.support.virtual_time import run_virtually

PRIMARY, SECOND = "openrouter/gpt-6.1-sol", "google/gemini-3.8-flash"
FAULTS = ("*:status=500", "*:status=502", "*:status=503", "*:status=429", "*:reset", "*:malformed_body",
          "*:empty_content")  # fmt: skip


def two(profile: str = "interactive", **more: Any) -> dict[str, Any]:
    """Two deployments at two providers, and no local model."""
    steps = [{"deployment": name, "reason": "in this order"} for name in (PRIMARY, SECOND)]
    use_case = {"primary": steps[0], "fallbacks": steps[1:], "profile": profile, "quality_floor": 0}
    return {
        "local_model": {"enabled": False},
        "routing": {"max_candidates": 2},
        "use_cases": {"customer_service": use_case},
        **more,
    }


@pytest.mark.parametrize("profile", ["interactive", "background"])
@pytest.mark.parametrize("stream", [False, True])
def test_two_deployments_that_each_fail_once_still_give_a_whole_answer(make_config, profile, stream) -> None:
    """There are thirty seconds, and both were well again at once."""

    async def main(clock: Any) -> None:
        with traffic(make_config(two(profile)), clock) as running:
            running.transport.faults.add("openrouter:status=503,times=1", "google:status=503,times=1")
            if profile == "background":
                running.transport.faults.add("openrouter:status=503,times=2", "google:status=503,times=2")
            began_s = clock.monotonic_s()
            replies = whole([await running.ask(1, stream=stream)])
            assert len(replies) == 1
            assert clock.monotonic_s() - began_s < (2 if profile == "interactive" else 12)

    run_virtually(main)


@pytest.mark.parametrize("profile", ["interactive", "background"])
@pytest.mark.parametrize("stream", [False, True])
def test_with_three_in_ten_attempts_failing_every_answer_is_whole(make_config, profile, stream) -> None:
    """And the load is not multiplied: 1.43 attempts a request is what chance alone takes."""

    async def main(clock: Any) -> list[Any]:
        with traffic(make_config(two(profile)), clock) as running:
            faults = (*FAULTS, "*:cut_stream=5", "*:error_in_200=502,after_chunks=4") if stream else FAULTS
            running.transport.faults = ByChance(*faults, share=0.3)
            return await running.ask_many(200, every_s=0.2, stream=stream)

    replies = whole(run_virtually(main))
    assert len(replies) == 200
    assert sum(len(one.attempts) for one in replies) / 200 <= 1.45


LATE = ("silence", "slow_first_token,delay_s=12")
"""What is under way when they begin is told long after they are over."""


@pytest.mark.parametrize(
    ("fault", "every_s"),
    [*((fault, 0.1) for fault in ("status=503", *LATE)), *((fault, 0.0075) for fault in LATE)],
    ids=lambda value: {0.1: "14 in flight", 0.0075: "200 in flight"}.get(value, value),
)
def test_after_an_outage_of_three_seconds_the_primary_is_back_within_ten(make_config, fault, every_s) -> None:
    """Neither its poor availability nor what was still under way in the outage keeps it out."""

    async def main(clock: Any) -> list[str]:
        with traffic(make_config(two(overload={"in_flight": 1000})), clock, latency_s=1.4) as running:
            before = asyncio.create_task(running.ask_many(int(1.5 / every_s), every_s=every_s))
            await clock.sleep(1.5)
            running.transport.faults.add(f"openrouter:{fault}")
            during = asyncio.create_task(running.ask_many(int(3 / every_s), every_s=every_s))
            await clock.sleep(3)
            running.transport.faults.clear()
            after = asyncio.create_task(running.ask_many(250, every_s=0.1))
            late = [*await before, *await during]
            assert len(whole(late)) == len(late)
            return [one.deployment for one in whole(await after)]

    answered_by = run_virtually(main)
    assert len(answered_by) == 250
    # Up to 25 s: what was sent in the outage is known to have failed as late as fifteen seconds after it.
    assert set(answered_by[100:]) == {PRIMARY}


@pytest.mark.parametrize(("fault", "outage_s"), [("silence", 7), ("silence", 16), ("status=503", 20)])
def test_at_a_request_a_second_the_primary_is_back_within_ten_too(make_config, fault, outage_s) -> None:
    """There are few answers then to outdo what fails late, and few requests to find out with."""

    async def main(clock: Any) -> list[str]:
        with traffic(make_config(two()), clock, latency_s=1.4) as running:
            before = asyncio.create_task(running.ask_many(10 + outage_s, every_s=1))
            await clock.sleep(9.7)
            running.transport.faults.add(f"openrouter:{fault}")
            await clock.sleep(outage_s)
            running.transport.faults.clear()
            after = whole(await running.ask_many(30, every_s=1))
            assert len(whole(await before)) == 10 + outage_s
            return [one.deployment for one in after]

    answered_by = run_virtually(main)
    assert len(answered_by) == 30
    assert set(answered_by[10:]) == {PRIMARY}


def test_who_is_left_out_for_its_availability_comes_back_with_a_trickle_of_requests(make_config) -> None:
    """Its circuit never opened: one in five failed for a while, and then no more."""

    async def main(clock: Any) -> list[str]:
        with traffic(make_config(two()), clock) as running:
            faults = running.transport.faults
            running.transport.faults = ByChance(
                "openrouter:status=429", "openrouter:malformed_body", share=0.4
            )
            await running.ask_many(200, every_s=0.2)
            running.transport.faults = faults
            return [one.deployment for one in whole(await running.ask_many(200, every_s=0.1))]

    answered_by = run_virtually(main)
    assert len(answered_by) == 200
    assert set(answered_by[100:]) == {PRIMARY}


def limited(requests_per_min: int, **more: Any) -> dict[str, Any]:
    """Every provider takes so many requests a minute, and there is a local model."""
    providers = {name: {"requests_per_min": requests_per_min} for name in ("openrouter", "google", "openai")}
    return {"providers": providers, **more}


def test_sixty_four_questions_in_a_minute_need_no_emergency_model(make_config) -> None:
    """At one healthy provider that takes sixty: who cannot wait is told which limit, and when it has room."""
    keys = {"GEMINI_API_KEY": "", "OPENAI_API_KEY": ""}

    async def main(clock: Any) -> tuple[list[Any], list[Any]]:
        with traffic(make_config(limited(60), **keys), clock) as running:
            spread = await running.ask_many(64, every_s=0.94, language="en")
            await clock.sleep(90)
            return spread, await running.ask_many(64, language="en")

    spread, at_once = run_virtually(main)
    assert len(whole(spread)) == 64
    # Who would have its turn in the last five of thirty seconds is told so at once.
    assert len(whole(at_once)) == 55
    refused = [one for one in at_once if isinstance(one, AllProvidersFailedError)]
    assert len(refused) == 9
    for error in refused:
        assert "60 requests a minute of openrouter used up, free in " in str(error)
        assert error.retry_after_s is not None
        assert 0 < error.retry_after_s < 60


@pytest.mark.parametrize("profile", ["interactive", "background"])
def test_two_hundred_rows_over_three_healthy_providers_are_answered_by_good_models(
    make_config, profile
) -> None:
    async def main(clock: Any) -> list[Any]:
        with traffic(make_config(limited(60)), clock) as running:
            return await running.ask_many(200, profile=profile, language="en", deadline_s=300)

    replies = whole(run_virtually(main))
    assert len(replies) == 200
    assert {one.provider for one in replies} <= {"openrouter", "google", "openai"}


class Useless:
    """A transport whose OpenRouter stays alive and never comes to an answer; all others answer."""

    is_ready = True

    def __init__(self, clock: Any, *, piece: str | None, every_s: float) -> None:
        self._clock, self._piece, self._every_s = clock, piece, every_s

    async def get_ready(self) -> None:
        """Do nothing."""

    async def send(self, source: AttemptSource) -> ProviderAnswer | None:
        attempt = source.current
        assert attempt is not None
        attempt.start()
        attempt.mark_sent()
        while attempt.target.deployment.provider_name == "openrouter":
            await self._clock.sleep(self._every_s)
            if self._piece is not None:
                attempt.begin_stream()
            attempt.receive(None if self._piece is None else Delta(self._piece))
        attempt.begin_stream()
        words = TEXT[len(source.writer.text.rstrip()) :] if source.writer.text.strip() else TEXT
        attempt.receive(Delta(words))
        return ProviderAnswer(words, (), "stop", Usage(10, 20), None, "gen-1")


@pytest.mark.parametrize(
    ("piece", "every_s"),
    [(None, 0.5), ("\n", 0.5), ("Dạ, ", 3.0), ("d", 0.4)],
    ids=["reasoning alone", "spaces alone", "a word every 3 s", "a letter every 0.4 s"],
)
def test_what_is_alive_and_of_no_use_leaves_time_for_the_next(make_config, piece, every_s) -> None:
    """Of thirty seconds it has half: each of its pieces would else give it ten seconds more, to the end."""

    async def main(clock: Any) -> tuple[Any, float]:
        with traffic(make_config(two()), clock) as running:
            running.transport = Useless(clock, piece=piece, every_s=every_s)  # type: ignore[assignment]
            began_s = clock.monotonic_s()
            return await running.ask(1, stream=True, on_break="restart"), clock.monotonic_s() - began_s

    reply, took_s = run_virtually(main)
    assert isinstance(reply, ChatReply), reply
    assert (reply.provider, reply.attempts[0].failure) == ("google", "timeout")
    assert 14 < took_s < 17


def test_a_slow_but_steady_answer_is_read_to_its_end(make_config) -> None:
    """Ten words a second for twenty seconds are no reason to ask another."""

    async def main(clock: Any) -> Any:
        with traffic(make_config(two()), clock) as running:
            running.transport = Steady(clock)  # type: ignore[assignment]
            return await running.ask(1, stream=True)

    reply = run_virtually(main)
    assert isinstance(reply, ChatReply), reply
    assert (len(reply.attempts), len(reply.text)) == (1, 1_000)


class Steady(Useless):
    """A transport that writes for twenty seconds."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock, piece="từng ", every_s=0.1)

    async def send(self, source: AttemptSource) -> ProviderAnswer | None:
        attempt = source.current
        assert attempt is not None
        attempt.start()
        attempt.mark_sent()
        attempt.begin_stream()
        for _ in range(200):
            await self._clock.sleep(self._every_s)
            attempt.receive(Delta("từng "))
        return ProviderAnswer("từng " * 200, (), "stop", Usage(10, 400), None, "gen-1")
