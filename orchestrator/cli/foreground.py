"""Practice providers in the foreground: what to export, what comes in, and the bill in the end."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cli.bill_table import show_bill
from orchestrator.cli.output import CommandError, err, write
from orchestrator.config.loader import default_path
from orchestrator.core.clock import Clock, SystemClock
from orchestrator.core.money import format_usd
from orchestrator.drill.practice_config import addresses, practice_models, practice_prices
from orchestrator.practice import (
    Answerer,
    Fault,
    Generated,
    PracticeCharge,
    PracticeError,
    PracticeServer,
    Scripted,
)
from orchestrator.practice.server import SeenRequest
from orchestrator.providers.local.model import LocalModel, LocalModelSettings

_LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How practice providers are to run."""

    port: int
    faults: tuple[str, ...]
    generated: bool
    key: str
    config_path: Path | None


def rehearse(wanted: Rehearsal) -> None:
    """Run practice providers until Ctrl-C or SIGTERM, then print their bill.

    Raises:
        CommandError: a fault makes no sense, or the port cannot be had.
        ConfigError: the configuration, which gives the prices, cannot be used.
        LocalModelError: the model was asked for and cannot be started.
    """
    clock = SystemClock()
    faults = [_fault(text) for text in wanted.faults]
    path = wanted.config_path or default_path()
    prices = practice_prices(path, today=clock.now().date(), environment=os.environ)
    with ExitStack() as stack:
        answerer = _answerer(stack) if wanted.generated else Scripted()
        server = PracticeServer(
            answerer=answerer,
            prices=prices,
            models=practice_models(prices),
            api_keys={wanted.key},
            port=wanted.port,
        )
        server.faults.add(*faults)
        try:
            stack.enter_context(server)
        except PracticeError as exc:
            raise CommandError(
                f"port {wanted.port} cannot be had (is something else on it?): choose another with --port, or 0 for any free one"
            ) from exc
        _tell_how(server, wanted)
        log = _Log(server, clock)
        with _stoppable():
            log.follow()
        log.look()
        show_bill(server.bill.as_json())


def _fault(text: str) -> Fault:
    try:
        return Fault.parse(text)
    except ValueError as exc:
        raise CommandError(f"--fault {text}: {exc}") from None


def _answerer(stack: ExitStack) -> Answerer:
    model = LocalModel(LocalModelSettings())
    stack.callback(model.close)
    return Generated(asyncio.run(model.base_url()))


def _tell_how(server: PracticeServer, wanted: Rehearsal) -> None:
    by = "the model on this machine" if wanted.generated else "a script"
    err().print(
        f"Practice providers at {server.url}, answers by {by}. Ctrl-C stops them and prints the bill.",
        style="dim",
        markup=False,
        soft_wrap=True,
    )
    write("".join(f"export {name}={value}\n" for name, value in addresses(server, key=wanted.key).items()))
    for fault in server.faults.waiting:
        err().print(f"fault: {fault}", style="yellow", markup=False)


@contextmanager
def _stoppable() -> Iterator[None]:
    """End the block in peace on Ctrl-C or SIGTERM."""

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        write("\n" if sys.stdout.isatty() else "")
    finally:
        signal.signal(signal.SIGTERM, before)


class _Log:
    """Prints a line for each request and each charge, once."""

    def __init__(self, server: PracticeServer, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._last: SeenRequest | None = None
        self._charges_told = 0

    def follow(self) -> None:
        """Print what comes, until interrupted."""
        while True:
            self._clock.pause(_LOOK_S)
            self.look()

    def look(self) -> None:
        """Print what came since the last look."""
        for one in _after(self._server.requests, self._last):
            write(f"{self._clock.now():%H:%M:%S}  asked    {one.provider:<11} {one.method} {one.path}\n")
            self._last = one
        charges = self._server.bill.charges
        for charge in charges[self._charges_told :]:
            write(f"{self._clock.now():%H:%M:%S}  charged  {_told(charge)}\n")
        self._charges_told = len(charges)


def _after(requests: Sequence[SeenRequest], last: SeenRequest | None) -> Sequence[SeenRequest]:
    """Return the requests behind `last`; all of them when it is forgotten already."""
    for place in range(len(requests) - 1, -1, -1):
        if requests[place] is last:
            return requests[place + 1 :]
    return requests


def _told(charge: PracticeCharge) -> str:
    return (
        f"{charge.provider:<11} {charge.model}  {charge.input_tokens} in, {charge.output_tokens} out, "
        f"{format_usd(charge.cost_nusd)}, {charge.delivered}"
    )
