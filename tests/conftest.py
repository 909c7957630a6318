"""Fixtures for every test: a real practice server, a real configuration, a real ledger file."""

import asyncio
import contextlib
import functools
import gc
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis
import orjson
import pytest
import yaml

# Before anything imports LiteLLM: else its import goes to the network.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

from orchestrator import Orchestrator
from orchestrator.config.loader import Config, embedded_path, load_config
from orchestrator.core.clock import Clock
from orchestrator.drill.practice_config import practice_prices
from orchestrator.practice import PracticePrice, PracticeServer
from orchestrator.providers.local.model import LocalModel, LocalModelSettings
from tests.support.configured import PRACTICE_KEYS

# Containers often forbid bytecode. Each process of the tests would then compile all of them anew, for 20 seconds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# In memory, where the system has a file system there with room, the ledgers and caches of the tests cost a
# fifth less of the processor and a third less of the time. What is about a disk brings its own.
_MEMORY = Path("/dev/shm")  # noqa: S108 -- pytest makes a folder of this user's own there
if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > 4 << 30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))

# A shell starts its background jobs with Ctrl-C ignored, and so would be the programs that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No example fails because the machine is busy.
hypothesis.settings.register_profile(
    "ours", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("ours")

TODAY = date(2026, 11, 23)


# What collecting makes is kept for the whole run: to search it for garbage all the while takes a sixth of its time.
gc.disable()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Search for garbage again once all is collected."""
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the proofs, and with the files whose processes are forked of a warm one: they take longest.

    Nobody then waits in the end for a proof that began late.
    """
    first = {
        item.path
        for item in items
        if item.path.parent.name == "proof" or "warm" in getattr(item, "fixturenames", ())
    }
    items.sort(key=lambda item: item.path not in first)


def pytest_collection_finish() -> None:
    """Keep what lives as long as the run out of every later search for garbage: a tenth of all its time.

    What little garbage is in it stays: to look for it now takes each process half a second. What a test makes
    is looked through seldom, for most of it is gone by itself: a tenth of what a test with a request takes.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 5)


# The programs beside the proofs, importable by name.
sys.path.insert(0, str(Path(__file__).parent / "proof"))

MakeConfig = Callable[..., Config]
MakeOrchestrator = Callable[..., Orchestrator]


class ManualClock:
    """Time that passes when a test says so, or when somebody sleeps; nobody ever waits."""

    def __init__(self) -> None:
        self.slept_s: list[float] = []
        """Every sleep that was asked for, in order."""
        self._now = datetime.combine(TODAY, datetime.min.time(), UTC) + timedelta(hours=9)
        self._monotonic_s = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic_s(self) -> float:
        return self._monotonic_s

    async def sleep(self, duration_s: float) -> None:
        self.slept_s.append(duration_s)
        self.advance(duration_s)
        await asyncio.sleep(0)

    def pause(self, duration_s: float) -> None:
        """Pass no time: a pause is for another thread or process, which has a time of its own."""

    def advance(self, duration_s: float) -> None:
        """Let time pass on both clocks."""
        self._monotonic_s += duration_s
        self._now += timedelta(seconds=duration_s)

    def set(self, moment: datetime) -> None:
        """Set the calendar alone, forward or back, as an administrator does."""
        self._now = moment


@pytest.fixture
def clock() -> ManualClock:
    """A clock of the test's own."""
    return ManualClock()


@pytest.fixture(scope="session")
def fiu_run() -> str:
    """The path of libfiu's `fiu-run`, which makes system calls fail; installed here where that is possible.

    Where it cannot be had the test is skipped, but in CI it fails: what is not run proves nothing.
    """
    return system_command("fiu-run", package="fiu-utils")


def system_command(name: str, *, package: str) -> str:
    """Return the path of a command; as root on Debian its package is installed first."""
    may_install = shutil.which(name) is None and os.geteuid() == 0 and shutil.which("apt-get")
    if may_install and _apt_get("install", "-y", package):
        _apt_get("update")
        _apt_get("install", "-y", package)
    found = shutil.which(name)
    if found is None:
        reason = f"{name} is missing and could not be installed: apt-get install {package}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return found


def _apt_get(*words: str) -> int:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # Another worker of the tests may be installing too.
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=120", *words]
    done = subprocess.run(command, env=quiet, capture_output=True, check=False, timeout=300)
    return done.returncode


@pytest.fixture(scope="session")
def local_model() -> Iterator[LocalModel]:
    """One real local model for the whole run, started by the first test that asks for its address."""
    model = LocalModel(LocalModelSettings())
    yield model
    model.close()


@pytest.fixture
def vcr() -> None:
    """What a test of langchain-tests asks for, before it skips itself: recordings of a vendor's answers.

    The plugin that makes them would set up six fixtures for every test of ours.
    """


@pytest.fixture(scope="session")
def listed_prices() -> dict[tuple[str, str], PracticePrice]:
    """What the shipped configuration says that its models cost."""
    return practice_prices(embedded_path(), today=TODAY)


@pytest.fixture(scope="session")
def prices_today() -> dict[tuple[str, str], PracticePrice]:
    """What the shipped models cost on the system's day, for ledgers on the system's clock."""
    return practice_prices(embedded_path(), today=datetime.now(UTC).date(), environment={})


@pytest.fixture
def practice(listed_prices: dict[tuple[str, str], PracticePrice]) -> Iterator[PracticeServer]:
    """Practice providers of its own for one test, without faults, at the prices of the shipped configuration."""
    with PracticeServer(prices=listed_prices) as server:
        yield server


@pytest.fixture
def environment(practice: PracticeServer, tmp_path: Path) -> dict[str, str]:
    """The variables that lead the shipped configuration to the practice providers and to a fresh folder."""
    return {
        "ORCHESTRATOR_HOME": str(tmp_path / "state"),
        **PRACTICE_KEYS,
        "OPENROUTER_BASE_URL": practice.base_url("openrouter"),
        "GOOGLE_BASE_URL": practice.base_url("google"),
        "OPENAI_BASE_URL": practice.base_url("openai"),
    }


class Stopwatch:
    """Seconds since it was made, without those for which this process waited for a processor.

    The threads of a busy machine wait in line before they run. The system says for how long, and what a test
    says of the program's own speed is then true on any machine.
    """

    def __init__(self) -> None:
        self._queued_before_s = _queued_s()
        self._began_s = time.monotonic()

    def took_s(self) -> float:
        passed_s = time.monotonic() - self._began_s
        queued_s = sum(
            waited_s - self._queued_before_s.get(thread, 0.0) for thread, waited_s in _queued_s().items()
        )
        return passed_s - queued_s


def _queued_s() -> dict[str, float]:
    """Return for how long each thread of this process has been ready to run and had no processor."""
    found = {}
    for thread in Path("/proc/self/task").glob("*"):
        # Elsewhere than on Linux there is no such file, and a thread may end in between.
        with contextlib.suppress(OSError):
            found[thread.name] = int((thread / "schedstat").read_text().split()[1]) / 1e9
    return found


@pytest.fixture
def stopwatch() -> type[Stopwatch]:
    """A watch to start with `stopwatch()`, for bounds on the program's own speed."""
    return Stopwatch


@pytest.fixture
def warm() -> Iterator[Callable[..., Any]]:
    """Start processes of their own that have LiteLLM loaded; they are ended when the test is over."""
    from warm import Warm

    started: list[Warm] = []

    def start(program: str, *arguments: str, environment: Mapping[str, str]) -> Warm:
        started.append(Warm(program, *arguments, environment=environment))
        return started[-1]

    yield start
    for one in started:
        one.end()


@pytest.fixture(scope="session", autouse=True)
def _certificates_read_once() -> Iterator[None]:
    """Read each file of certificates once: every client of httpx reads certifi's, for 40 ms of a processor."""
    make = ssl.create_default_context
    from_file = functools.cache(make)

    def once(*purpose: Any, **named: Any) -> ssl.SSLContext:
        return from_file(*purpose, **named) if named.get("cafile") else make(*purpose, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", once)
        yield


@pytest.fixture(scope="session", autouse=True)
def _patience_of_connecting() -> Iterator[None]:
    """Wait a minute for a connection to this machine: in a process that hardly runs, it takes more than 5 s."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orchestrator.providers.wire.sessions.CONNECT_TIMEOUT_S", 60.0)
        yield


@pytest.fixture(scope="session")
def shipped_data() -> dict[str, Any]:
    """The shipped configuration as YAML reads it, for copies: reading it takes longer than most tests."""
    data: dict[str, Any] = yaml.load(embedded_path().read_bytes(), Loader=yaml.CSafeLoader)
    return data


@pytest.fixture(scope="session")
def unlimited_json(shipped_data: dict[str, Any]) -> bytes:
    """The shipped configuration without limits per minute, as JSON, of which each reader makes data of its own.

    The practice providers have no such limit, and a test should not wait for one by accident. The ledger is waited
    for longer than 5 s, for whoever holds it may have no processor.
    """
    unlimited = {"requests_per_min": 1_000_000, "tokens_per_min": 1_000_000_000}
    providers = {name: {**provider, **unlimited} for name, provider in shipped_data["providers"].items()}
    ledger = {**shipped_data.get("ledger", {}), "lock_timeout_s": 60}
    return orjson.dumps({**shipped_data, "providers": providers, "ledger": ledger})


@pytest.fixture
def make_config(environment: dict[str, str], tmp_path: Path, unlimited_json: bytes) -> MakeConfig:
    """Make the shipped configuration with some of its parts replaced, as a real file."""

    def make(changes: Mapping[str, Any] | None = None, **more_environment: str) -> Config:
        data = orjson.loads(unlimited_json)
        _merge(data, changes or {})
        path = tmp_path / "config.yaml"
        # JSON is YAML too, written in a hundredth of the time.
        path.write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2))
        return load_config(path, today=TODAY, environment={**environment, **more_environment})

    return make


@pytest.fixture
def make_orchestrator(make_config: MakeConfig) -> Iterator[MakeOrchestrator]:
    """Make orchestrators that are closed when the test is over."""
    made: list[Orchestrator] = []

    def make(
        changes: Mapping[str, Any] | None = None, *, clock: Clock | None = None, **environment: str
    ) -> Orchestrator:
        orchestrator = Orchestrator(make_config(changes, **environment), clock=clock)
        made.append(orchestrator)
        return orchestrator

    yield make
    for orchestrator in made:
        orchestrator.close()


@pytest.fixture
def practised(make_orchestrator: MakeOrchestrator) -> Orchestrator:
    """An orchestrator with the shipped configuration, in front of the practice providers."""
    return make_orchestrator()


def _merge(data: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if (
            isinstance(value, Mapping)
            and isinstance(data.get(key), dict)
            and value.get("__replace__") is None
        ):
            _merge(data[key], value)
        elif isinstance(value, Mapping):
            data[key] = {name: one for name, one in value.items() if name != "__replace__"}
        else:
            data[key] = value
