"""The command line as its users meet it: through `main`, or as a process of its own."""

import io
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from orchestrator.cli import main
from orchestrator.cli.session import ALWAYS_SHOWN, SHOWN_BY_SERVERS
from orchestrator.drill.practice_config import addresses, practice_models
from orchestrator.practice import PracticePrice, PracticeServer

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config.yaml"
LONG_S = 300
LOGGERS = (
    "",
    "orchestrator",
    "orchestrator.requests",
    "orchestrator.config",
    ALWAYS_SHOWN,
    *SHOWN_BY_SERVERS,
)
"""What a command sets up for its process, which here goes on with other tests."""

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        """What standard output says as JSON."""
        return orjson.loads(self.out)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home for ledger and cache, no keys, the shipped configuration, and the log as it was."""
    folder = tmp_path / "home"
    for name in ("OPENROUTER", "GEMINI", "OPENAI"):
        monkeypatch.delenv(f"{name}_API_KEY", raising=False)
    for name in (
        "OPENROUTER_BASE_URL",
        "GOOGLE_BASE_URL",
        "OPENAI_BASE_URL",
        "COLUMNS",
        "ORCHESTRATOR_DEBUG",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(folder))
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(CONFIG))
    before = [(logger, list(logger.handlers), logger.level) for logger in map(logging.getLogger, LOGGERS)]
    yield folder
    for logger, handlers, level in before:
        logger.handlers = handlers
        logger.setLevel(level)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run one command in this process."""

    def ran(*arguments: str, stdin: bytes | None = None) -> Ran:
        capsys.readouterr()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin or b""), encoding="utf-8"))
        code = main(arguments)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return ran


@pytest.fixture
def shell() -> Callable[..., Ran]:
    """Run one command as a process, as scripts do."""

    def ran(*arguments: str | bytes, stdin: bytes | None = None) -> Ran:
        command = [sys.executable, "-m", "orchestrator", *arguments]
        ended = subprocess.run(
            command, input=stdin or b"", capture_output=True, cwd=ROOT, timeout=LONG_S, check=False
        )
        return Ran(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    return ran


@pytest.fixture
def practice(
    monkeypatch: pytest.MonkeyPatch, prices_today: dict[tuple[str, str], PracticePrice]
) -> Iterator[PracticeServer]:
    """Practice providers at the shipped prices; the environment leads to them."""
    models = practice_models(prices_today)
    with PracticeServer(prices=prices_today, models=models, api_keys={"practice"}) as server:
        for name, value in addresses(server).items():
            monkeypatch.setenv(name, value)
        yield server
