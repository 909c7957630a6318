"""Modules that have moved: their old paths work for one release more, and say where to look."""

import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any


def forward(old: str, *, to: str) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module that has moved to `to`: each name is warned of and passed on."""

    def look_up(name: str) -> Any:
        module = import_module(to)
        if name == "__all__":
            return [public for public in vars(module) if not public.startswith("_")]
        value = getattr(module, name)
        if not name.startswith("_"):
            warnings.warn(
                f"{old} has moved to {to}; the old path goes with the next release",
                DeprecationWarning,
                stacklevel=2,
            )
        return value

    return look_up
