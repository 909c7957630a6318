"""Practice providers in the foreground: the variables to export, each request, and the bill at the end."""

import asyncio
import os
import shlex
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
from orchestrator.drill.practice_config import (
    Practised,
    practice_models,
    practised_providers,
    prices_at_practice,
)
from orchestrator.practice import (
    Answerer,
    Fault,
    Generated,
    PracticeCharge,
    PracticeError,
    PracticeServer,
    Scripted,
)
from orchestrator.practice.fault_words import in_words
from orchestrator.practice.server import SeenRequest
from orchestrator.providers.local.model import LocalModel, LocalModelSettings

_LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How practice providers shall run."""

    port: int
    on_usual_port: bool
    """The commands that steer them need no --port; else they would steer whatever is on the usual one."""
    faults: tuple[str, ...]
    generated: bool
    key: str
    config_path: Path | None


def rehearse(rehearsal: Rehearsal) -> None:
    """Run practice providers until Ctrl-C or SIGTERM, then print their bill.

    Raises:
        CommandError: a fault cannot be read, or the port is taken.
        ConfigError: the configuration cannot be used; the prices come from it.
        LocalModelError: the local model shall answer, and it cannot be started.
    """
    clock = SystemClock()
    faults = [_fault(text) for text in rehearsal.faults]
    path = rehearsal.config_path or default_path()
    prices = prices_at_practice(path, today=clock.now().date(), environment=os.environ)
    with ExitStack() as stack:
        answerer = _answerer(stack) if rehearsal.generated else Scripted()
        server = PracticeServer(
            answerer=answerer,
            prices=prices,
            models=practice_models(prices),
            api_keys={rehearsal.key},
            port=rehearsal.port,
        )
        try:
            stack.enter_context(server)
        except PracticeError as exc:
            raise CommandError(
                f"port {rehearsal.port} cannot be had (is something else on it?): "
                "choose another with --port, or 0 for any free one"
            ) from exc
        practised = practised_providers(path, server, today=clock.now().date(), key=rehearsal.key)
        server.faults.providers = tuple(dict.fromkeys(provider.played_by for provider in practised))
        for fault in faults:
            _add_fault(server, fault)
        _print_set_up(server, rehearsal, practised)
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


def _add_fault(server: PracticeServer, fault: Fault) -> None:
    try:
        server.faults.add(fault)
    except ValueError as exc:
        raise CommandError(f"--fault {fault}: {exc}") from None


def _answerer(stack: ExitStack) -> Answerer:
    model = LocalModel(LocalModelSettings())
    stack.callback(model.close)
    return Generated(asyncio.run(model.base_url()), api_key=model.api_key)


def _print_set_up(server: PracticeServer, rehearsal: Rehearsal, practised: Sequence[Practised]) -> None:
    # Whoever reads the addresses may ask at once, and use a fault up.
    waiting = server.faults.waiting
    by = "the model on this machine" if rehearsal.generated else "a script"
    err().print(
        f"Practice providers at {server.url}, answers by {by}. Ctrl-C stops them and prints the bill.",
        style="dim",
        markup=False,
        soft_wrap=True,
    )
    exports: dict[str, str] = {}
    for provider in practised:
        exports |= provider.exports
    write("".join(f"export {name}={shlex.quote(value)}\n" for name, value in exports.items()))
    for provider in practised:
        err().print(_provider_text(provider), style="dim", markup=False, soft_wrap=True)
    if not rehearsal.on_usual_port:
        err().print(
            f"'orchestrator practice fault', 'faults', 'clear' and 'bill' find these with --port {server.port}",
            style="dim",
            markup=False,
            soft_wrap=True,
        )
    for fault in waiting:
        err().print(f"fault: {fault}  ({in_words(fault)})", style="yellow", markup=False, soft_wrap=True)


def _provider_text(provider: Practised) -> str:
    text = f"provider {provider.name}: {provider.base_url}, faults as {provider.played_by}:<kind>"
    if provider.has_to_write:
        text += f"; config.yaml takes no variable there, so write {', '.join(provider.has_to_write)}"
    return text


@contextmanager
def _stoppable() -> Iterator[None]:
    """End the block without an error on Ctrl-C or SIGTERM."""

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
    """Prints one line for each request and each charge."""

    def __init__(self, server: PracticeServer, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._last: SeenRequest | None = None
        self._charges_printed = 0

    def follow(self) -> None:
        """Print what comes in, until interrupted."""
        while True:
            self._clock.pause(_LOOK_S)
            self.look()

    def look(self) -> None:
        """Print what came in since the last look."""
        for request in _after(self._server.requests, self._last):
            self._print(f"asked    {request.provider:<11} {request.method} {request.path}")
            self._last = request
        charges = self._server.bill.charges
        for charge in charges[self._charges_printed :]:
            self._print(f"charged  {_charge_text(charge)}")
        self._charges_printed = len(charges)

    def _print(self, event: str) -> None:
        write(f"{self._clock.now():%H:%M:%S}  {event}\n")


def _after(requests: Sequence[SeenRequest], last: SeenRequest | None) -> Sequence[SeenRequest]:
    """Return the requests after `last`; all of them when `last` is no longer kept."""
    for place in range(len(requests) - 1, -1, -1):
        if requests[place] is last:
            return requests[place + 1 :]
    return requests


def _charge_text(charge: PracticeCharge) -> str:
    return (
        f"{charge.provider:<11} {charge.model}  {charge.input_tokens} in, {charge.output_tokens} out, "
        f"{format_usd(charge.cost_nusd)}, {charge.delivered}"
    )
