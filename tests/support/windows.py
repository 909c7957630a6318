"""Which window a counter's key is of, told by its form alone."""

from orchestrator.ledger.periods import Window

_BY_LENGTH = {len("2026-11"): Window.MONTH, len("2026-W48"): Window.WEEK, len("2026-11-23"): Window.DAY}


def window_of(key: str) -> Window:
    return _BY_LENGTH.get(len(key), Window.HOUR)
