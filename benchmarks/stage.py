"""The stage that benchmarks share: practice providers and subjects in processes of their own.

LiteLLM's callbacks and budgets are process-wide, so whoever is compared runs alone in a process. It says
`ready`, is told what to do in one line of JSON, and answers with one.

    python -m benchmarks.stage '{"text": "…", "latency_s": 0.1}'     what `Providers` starts
"""

import copy
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import yaml

if TYPE_CHECKING:
    from orchestrator import Orchestrator

TODAY = date(2026, 11, 23)
_PATHS = {"openrouter": "/openrouter/api/v1", "openai": "/openai/v1"}
_KEPT = 1_000_000


class Child:
    """A process that answers each line of JSON with one of its own."""

    def __init__(self, module: str, *arguments: str) -> None:
        """Start `python -m module arguments`."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def wait_ready(self) -> None:
        """Wait until it has loaded what it needs."""
        self.receive()

    def send(self, order: Any) -> None:
        """Tell it what to do next."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def receive(self) -> Any:
        """Return its next answer.

        Raises:
            RuntimeError: it ended instead; what it had to say is on standard error.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a process of the benchmark ended early: {self._process.args}")
        return json.loads(line)

    def ask(self, order: Any) -> Any:
        """Tell it what to do and return what came of it."""
        self.send(order)
        return self.receive()

    def __enter__(self) -> Self:
        """Return the child, started already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it by closing its input."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        if kind is not None:
            self._process.kill()
        self._process.wait()


class Providers(Child):
    """Practice providers that give everybody the same answer, and say what they saw and charged."""

    def __init__(self, **setting: Any) -> None:
        """Start them; `setting` is what `_serve` takes."""
        super().__init__("benchmarks.stage", json.dumps(setting))
        self.url: str = self.receive()

    def address(self, provider: str) -> str:
        """Return the base URL of a provider, as `PracticeServer.base_url` does."""
        return f"{self.url}{_PATHS[provider]}"

    def break_with(self, faults: Iterable[str]) -> None:
        """Have these faults alone from now on, and begin to count anew."""
        self.ask(list(faults))

    def seen(self) -> tuple[int, int]:
        """Return the requests since the last `break_with`, and what was charged for them in nano-dollars."""
        requests, cost_nusd = self.ask(None)
        return requests, cost_nusd


def rounds_of(children: Mapping[str, Child], order: Any, *, rounds: int) -> dict[str, list[Any]]:
    """Return what every child answers to an order, round by round, the children taken in turn.

    So a busy machine is busy for all of them. The first round warms up and is not counted.
    """
    taken: dict[str, list[Any]] = {name: [] for name in children}
    for number in range(rounds + 1):
        for name, child in children.items():
            answer = child.ask(order)
            if number:
                taken[name].append(answer)
    return taken


def answer_orders(answer: Callable[[Any], Any]) -> None:
    """Be a child: say ready, then answer each order of standard input."""
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


def enlarge(data: dict[str, Any], deployments: int, *, model: str) -> None:
    """Copy OpenAI's `model` in a configuration until so many deployments of OpenAI can be asked."""
    asked = [name for name, entry in data["deployments"].items() if entry["provider"] == "openai"]
    for number in range(deployments - len(asked)):
        data["models"][f"copy-{number}"] = copy.deepcopy(data["models"][model])
        entry = copy.deepcopy(data["deployments"][f"openai/{model}"])
        entry.update(model=f"copy-{number}", upstream=f"copy-{number}")
        data["deployments"][f"openai/copy-{number}"] = entry


def orchestrator_at(
    folder: Path, addresses: Mapping[str, str], change: Callable[[dict[str, Any]], None]
) -> "Orchestrator":
    """Return an orchestrator of the shipped configuration, changed, with only the providers of `addresses`."""
    from orchestrator import Orchestrator
    from orchestrator.config.loader import embedded_path, load_config

    data = yaml.safe_load(embedded_path().read_text(encoding="utf-8"))
    for provider in data["providers"].values():
        provider.update(requests_per_min=10_000_000, tokens_per_min=10_000_000_000)
    data["local_model"]["enabled"] = False
    change(data)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), encoding="utf-8")
    environment = {"ORCHESTRATOR_HOME": str(folder)}
    for provider, address in addresses.items():
        environment |= {
            f"{provider.upper()}_API_KEY": "practice",
            f"{provider.upper()}_BASE_URL": address,
        }
    return Orchestrator(load_config(path, today=TODAY, environment=environment))


def _serve(
    *, text: str, latency_s: float = 0.0, piece_latency_s: float = 0.0, usd_per_mtok: tuple[float, float]
) -> None:
    from orchestrator.core.money import NanoUsdPerMtok
    from orchestrator.practice import PracticePrice, PracticeServer, Scripted

    price = PracticePrice(*(NanoUsdPerMtok(round(usd * 1_000_000_000)) for usd in usd_per_mtok))
    with PracticeServer(
        answerer=Scripted(matched={"": text}),
        default_price=price,
        seed_latency_s=latency_s,
        piece_latency_s=piece_latency_s,
        requests_kept=_KEPT,
    ) as server:
        print(json.dumps(server.url), flush=True)
        before = 0
        for line in sys.stdin:
            faults = json.loads(line)
            if faults is not None:
                server.faults.clear()
                server.faults.add(*faults)
                server.bill.clear()
                before = len(server.requests)
            print(json.dumps((len(server.requests) - before, server.bill.total_nusd())), flush=True)


if __name__ == "__main__":
    _serve(**json.loads(sys.argv[1]))
