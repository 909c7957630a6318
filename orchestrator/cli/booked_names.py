"""The nearest tenant, user or tag that something was booked for, where nothing was for the one asked for."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from orchestrator.core.language import Language
from orchestrator.core.unknown_names import nearest

if TYPE_CHECKING:
    from orchestrator.ledger.store import LedgerView


_HINT = {Language.EN: " Did you mean {}?", Language.VI: " Ý bạn là {}?"}
_AND = {Language.EN: " and ", Language.VI: " và "}


def hint_of_booked(
    view: "LedgerView",
    named: Mapping[str, str | None],
    *,
    months: Iterable[str],
    language: Language = Language.EN,
) -> str:
    """Return ` Did you mean --tenant 'acme'?`, empty where no name of these months is near.

    `named` has the names that are looked for by their kind: `tenant`, `use_case`, `user`, `tag`, `model`.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    if not view.exists or not any(named.values()):
        return ""
    with view:
        scopes = [counter.scope for counter in view.counters(*months)]
    meant = []
    for kind, name in named.items():
        known = [scope.removeprefix(f"{kind}:") for scope in scopes if scope.startswith(f"{kind}:")]
        close = None if name is None or name in known else nearest(name, known)
        meant += [] if close is None else [f"--{kind.replace('_', '-')} '{close}'"]
    return _HINT[language].format(_AND[language].join(meant)) if meant else ""
