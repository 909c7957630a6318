"""A user without a home, as containers that run with a number of their own have it."""

import pwd

import pytest


def nobody_is_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system know no home folder of this user."""

    def unknown(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
