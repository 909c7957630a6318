"""What the routes of the server work with."""

from dataclasses import dataclass

from starlette.requests import Request

from orchestrator.access.settings import ServerSettings
from orchestrator.client import Orchestrator
from orchestrator.core.clock import Clock
from orchestrator.server.callers import Callers
from orchestrator.server.ledger_look import LedgerLook


@dataclass(slots=True)
class Door:
    """One server's orchestrator, and who may ask it."""

    orchestrator: Orchestrator
    settings: ServerSettings
    callers: Callers
    clock: Clock
    ledger_look: LedgerLook
    is_ready: bool = False
    """Whether it can serve: it has warmed up, and is not being stopped."""


def door_of(request: Request) -> Door:
    """Return what a route works with."""
    door: Door = request.app.state.door
    return door
