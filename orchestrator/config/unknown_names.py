"""What is said of a name that nothing has: the nearest one, or all that there are."""

from collections.abc import Iterable
from difflib import get_close_matches


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Return `unknown use case 'sales'. Did you mean ...?`, or the known names when nothing is close."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    return f"unknown {what} '{name}'" + (
        f". Did you mean '{close[0]}'?" if close else f"; known: {', '.join(names)}"
    )
