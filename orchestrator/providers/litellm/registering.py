"""Deployments in LiteLLM's price map: each once for a process, however often its Router is built.

Every configuration builds a Router, a reloaded one too, and LiteLLM registers each of its deployments anew:
four fifths of the time that it takes. What is in the map as it would be written is left alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_registered: set[int] = set()
"""Hashes of what is in the map. Used under `loading.LOADING` alone, as Routers are built there."""
_map: Any = None
"""LiteLLM's map when that was written."""
_changes = -1
"""LiteLLM's count of the changes to it, after our last."""


@contextmanager
def registered_once(litellm: Any) -> Iterator[None]:
    """Let LiteLLM register in this block only what is not in its map yet, or what others may have changed."""
    register = litellm.register_model

    def register_new(*arguments: Any, **options: Any) -> None:
        if litellm.model_cost is not _map or _count(litellm) != _changes:
            _registered.clear()
        entry = hash(repr((arguments, sorted(options.items()))))
        if entry not in _registered:
            register(*arguments, **options)
            _registered.add(entry)
            _remember(litellm)

    litellm.register_model = register_new
    try:
        yield
    finally:
        litellm.register_model = register


def _count(litellm: Any) -> int:
    return int(litellm.utils.get_model_cost_mutation_generation())


def _remember(litellm: Any) -> None:
    global _map, _changes
    _map, _changes = litellm.model_cost, _count(litellm)
