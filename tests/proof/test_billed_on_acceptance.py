"""A limit is a limit by the bill of providers that charge the whole answer when they accept a request.

Through every door (`acceptance_storm`), one call and twenty at a time, from one process and two on one ledger,
with providers that work and with providers that break: cut, unreadable, silent, in error, all of it billed.
With `-s` it prints how much of its limit each kind spent at most, by the providers' bill.
"""

import asyncio
import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import booking
import orjson
import pytest
from acceptance_storm import ANSWERER, Doors, Storm, line_of, urls_of
from warm import Warm

from orchestrator import load_config
from orchestrator.config.loader import embedded_path
from orchestrator.core.money import nano_usd
from orchestrator.drill.practice_config import addresses, practice_prices
from orchestrator.practice import BilledWhen, PracticeServer

LIMITS = {
    "complete": "0.0004",
    "stream": "0.0004",
    "tools": "0.001",
    "files": "0.0035",
    "reasoning": "0.008",
    "native openai/gpt-6-luna": "0.0004",
    "native google/gemini-3.8-flash": "0.003",
    "guard openai/gpt-6-luna": "0.0004",
    "guard gemini/gemini-3.8-flash": "0.003",
    "guard openrouter/openai/gpt-6-luna": "0.0004",
}
"""Dollars of each kind: a handful of its calls at their bounds."""
SKIES = {"clear": True, "faults": False}
CELLS = [
    (kind, in_flight, processes, sky)
    for kind in LIMITS
    for sky in SKIES
    for processes in (1, 2)
    for in_flight in (1, 20)
]
CALLS = 60
"""At most in a cell, of each process."""
FAULTS = (
    "reset",
    "cut_stream=2",
    "end_stream=2",
    "malformed_chunk=2",
    "odd_chunk=1",
    "malformed_body",
    "wrong_types",
    "no_choices",
    "empty_content",
    "error_in_200=502",
    "error_in_200=429",
    "error_in_200=400",
    "error_in_200=502,after_chunks=2",
    "odd_answer=no_usage",
    "odd_answer=unknown_finish",
    "odd_answer=error_beside_text",
    "odd_answer=thought_only",
    "odd_answer=filtered",
    *(f"odd_bill={bill}" for bill in ("own_key", "zero_cost", "contradicting", "negative", "null", "huge")),
    "redirect=307",
    "redirect=302",
    # Refused, and so not accepted: these alone are free.
    "status=500",
    "status=503",
    "status=429",
    "status=400",
)
NO_FAULT = "slow_first_token=0"
HURRY = {"retry_delays_s": [0], "fallback_delays_s": [0], "jitter": 0, "max_recovery_wait_s": 0}


@pytest.fixture(scope="module")
def practice() -> Iterator[PracticeServer]:
    """Providers that bill when they accept, at the prices of today's configuration."""
    prices = practice_prices(embedded_path(), today=datetime.now(UTC).date(), environment={})
    with PracticeServer(answerer=ANSWERER, prices=prices, billed_when=BilledWhen.ACCEPTED) as server:
        yield server


@pytest.fixture(scope="module")
def environment(practice: PracticeServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What leads the configuration to the practice providers and to one ledger."""
    return {**addresses(practice), "ORCHESTRATOR_HOME": str(tmp_path_factory.mktemp("state"))}


@pytest.fixture(scope="module")
def config_path(shipped_data: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped configuration, in a hurry, with a tenant and a limit for each cell."""
    data = copy.deepcopy(shipped_data)
    for provider in data["providers"].values():
        provider.update(requests_per_min=1_000_000, tokens_per_min=1_000_000_000)
    data["local_model"]["enabled"] = False
    data["circuit_breaker"]["failures"] = 1000
    data["retry_profiles"]["interactive"].update(HURRY)
    limits = [{"scope": f"tenant:{tenant_of(*cell)}", "month": LIMITS[cell[0]]} for cell in CELLS]
    data["budgets"].update(limits=[*limits, {"scope": "all", "month": 100}], tiers=[])
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    path.write_bytes(orjson.dumps(data))
    return path


@pytest.fixture(scope="module")
def doors(config_path: Path, environment: dict[str, str], practice: PracticeServer) -> Iterator[Doors]:
    """The doors of this process; when all storms are over, every counter is the sum of its rows."""
    config = load_config(config_path, today=datetime.now(UTC).date(), environment=environment)
    opened = Doors(config, urls_of(practice))
    yield opened
    opened.close()
    booking.assert_balanced(Path(config.settings.ledger.path))


@pytest.fixture(scope="module")
def neighbour(config_path: Path, environment: dict[str, str], practice: PracticeServer) -> Iterator[Warm]:
    """Another process on the same ledger."""
    program = (Path(__file__).parent / "acceptance_storm.py").read_text(encoding="utf-8")
    urls = orjson.dumps(urls_of(practice)).decode()
    process = Warm(program, str(config_path), urls, environment=environment)
    assert process.told() == "ready"
    yield process
    process.end()


@pytest.fixture(scope="module")
def shares() -> Iterator[dict[str, list[float]]]:
    """What each cell spent of its limit, by the bill; printed in the end."""
    found: dict[str, list[float]] = {}
    yield found
    for kind, spent in found.items():
        print(f"{kind}: {len(spent)} cells, {max(spent):.3f} of the limit at most")


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for all storms, as in a service."""
    with asyncio.Runner() as running:
        yield running


@contextmanager
def trouble(practice: PracticeServer, *, seed: str) -> Iterator[None]:
    """Let every second request meet a fault, until the block is left."""
    chance = random.Random(seed)  # noqa: S311 -- repeatable, no secret
    drawn = [chance.choice(FAULTS) if chance.random() < 0.5 else NO_FAULT for _ in range(1000)]
    practice.faults.add(*(f"*:{fault},times=1" for fault in drawn))
    try:
        yield
    finally:
        practice.faults.clear()


@pytest.mark.parametrize(("kind", "in_flight", "processes", "sky"), CELLS)
def test_no_more_is_billed_than_the_limit_and_all_of_it_is_booked(
    request: pytest.FixtureRequest,
    doors: Doors,
    practice: PracticeServer,
    runner: asyncio.Runner,
    shares: dict[str, list[float]],
    kind: str,
    in_flight: int,
    processes: int,
    sky: str,
) -> None:
    storm = Storm(kind, tenant_of(kind, in_flight, processes, sky), CALLS, in_flight, SKIES[sky])
    neighbour = request.getfixturevalue("neighbour") if processes > 1 else None
    billed_before = practice.bill.total_nusd()
    if storm.clear:
        refused = _rage(storm, doors, runner, neighbour)
    else:
        runner.run(_leave_unanswered(storm, doors, practice))
        with trouble(practice, seed=storm.tenant):
            refused = _rage(storm, doors, runner, neighbour)
    practice.wait_idle(timeout_s=300)
    billed = practice.bill.total_nusd() - billed_before
    spent, held = _standing(doors, storm.tenant)
    shares.setdefault(kind, []).append(billed / nano_usd(LIMITS[kind]))
    assert refused > 0, "the limit was never reached"
    assert 0 < billed <= spent + held <= nano_usd(LIMITS[kind])
    assert held == 0
    if storm.clear:
        assert billed == spent


def tenant_of(kind: str, in_flight: int, processes: int, sky: str) -> str:
    """Return the name of a cell's tenant."""
    return f"{kind.replace('/', '-').replace(' ', '-')}-{in_flight}-{processes}-{sky}"


def _rage(storm: Storm, doors: Doors, runner: asyncio.Runner, neighbour: Warm | None) -> int:
    if neighbour is not None:
        neighbour.stdin.write(line_of(storm) + "\n")
        neighbour.stdin.flush()
    refused = runner.run(doors.rage(storm))
    return refused + (int(neighbour.told()) if neighbour is not None else 0)


async def _leave_unanswered(storm: Storm, doors: Doors, practice: PracticeServer) -> None:
    """Ask for an answer that never comes, and leave once it is billed."""
    practice.faults.add("*:silence,times=1")
    billed = practice.bill.count()
    asking = asyncio.create_task(doors.ask(storm.kind, storm.tenant, 0))
    assert await asyncio.to_thread(practice.bill.wait_for, billed + 1, timeout_s=300)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


def _standing(doors: Doors, tenant: str) -> tuple[int, int]:
    """Return what is spent and held of a tenant's month."""
    (counter,) = booking.rows(
        Path(doors.orchestrator.config.settings.ledger.path),
        "SELECT spent_nusd, held_nusd FROM counters WHERE scope = ? AND LENGTH(period) = 7",
        f"tenant:{tenant}",
    )
    return counter
