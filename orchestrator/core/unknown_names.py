"""What is said of a name that nothing has: the nearest one, or all that there are."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches  # noqa: TID251 -- the one place

_SHOWN_MAX = 60
"""Characters of a name that callers sent."""
_LISTED_MAX = 40
"""Names: a catalog may have hundreds, and an error is read by a person."""

TIMES_OF_OTHERS = frozenset({"timeout", "timeout_s", "request_timeout", "deadline"})
"""What other libraries call a limit of time: some in milliseconds, and most for each attempt alone."""
DEADLINE_HINT = "Did you mean 'deadline_s'? It is in seconds, for all attempts of a request together"


def unknown(what: str, name: str, known: Iterable[str], *, aliases: Mapping[str, str] | None = None) -> str:
    """Return `unknown use case 'sales'. Did you mean ...?`, or the known names when nothing is close."""
    return f"unknown {what} '{name[:_SHOWN_MAX]}'{hint_for(name, known, aliases=aliases)}"


def hint_for(name: str, known: Iterable[str], *, aliases: Mapping[str, str] | None = None) -> str:
    """Return what follows an unknown name: `. Did you mean 'x'?`, or `; known: x, y`.

    An alias is proposed by what it stands for: most are names of models that are sold no more.
    """
    names = sorted((*known, *(aliases or ())))
    close = nearest(name, names)
    if close is not None:
        return f". Did you mean '{(aliases or {}).get(close, close)}'?"
    if not names:
        return "; none is defined"
    more = f" and {len(names) - _LISTED_MAX} more" if len(names) > _LISTED_MAX else ""
    return f"; known: {', '.join(names[:_LISTED_MAX])}{more}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most likely meant, whatever its capitals; None where none is close."""
    folded = {each.casefold(): each for each in known}
    close = get_close_matches(name[:_SHOWN_MAX].casefold(), folded, n=1)
    return folded[close[0]] if close else None
