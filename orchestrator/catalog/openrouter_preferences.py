"""Which of OpenRouter's hosts may serve a request, and on which terms.

Preferences stand at a provider, a deployment and a use case; the nearer to the request wins. What protects
the caller's data only gets stricter on the way: https://openrouter.ai/docs/features/provider-routing.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from orchestrator.core.settings import Settings

Host = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._/-]*$")]
"""A host by OpenRouter's name, such as deepinfra or deepinfra/turbo."""
Hosts = Annotated[tuple[Host, ...], Field(min_length=1)]


class HostOrder(StrEnum):
    """By what OpenRouter chooses among the hosts of a model."""

    PRICE = "price"
    THROUGHPUT = "throughput"
    LATENCY = "latency"


class OpenRouterPreferences(Settings):
    """What OpenRouter is asked to keep to when it chooses a host."""

    order: Hosts | None = None
    """Hosts to ask first, in this order."""
    only: Hosts | None = None
    """No hosts but these."""
    ignore: Hosts | None = None
    """Never these hosts."""
    sort: HostOrder | None = None
    """By what hosts are chosen: price, throughput or latency."""
    allow_fallbacks: bool | None = None
    """false: no other host when the first one fails."""
    require_parameters: bool | None = None
    """true: only hosts that take every parameter of the request."""
    data_collection: Literal["allow", "deny"] | None = None
    """deny: no host that may keep or learn from prompts; nothing nearer to the request allows it again."""
    zdr: bool | None = None
    """true: only hosts that keep no data at all; once true, nothing nearer to the request takes it back."""

    @model_validator(mode="after")
    def _name_each_host_once(self) -> "OpenRouterPreferences":
        for name in ("order", "only", "ignore"):
            hosts = getattr(self, name) or ()
            twice = next((host for host in hosts if hosts.count(host) > 1), None)
            if twice is not None:
                msg = f"'{name}' names '{twice}' twice"
                raise ValueError(msg)
        ignored = next(
            (host for host in (*(self.order or ()), *(self.only or ())) if host in (self.ignore or ())), None
        )
        if ignored is not None:
            msg = f"'{ignored}' is asked for and ignored"
            raise ValueError(msg)
        return self

    def as_wire(self) -> dict[str, Any]:
        """Return what is set, by OpenRouter's names, for the `provider` of a request's body."""
        return self.model_dump(mode="json", exclude_none=True)

    def __str__(self) -> str:
        """Return what is set, for people."""
        texts = {
            name: ", ".join(value) if isinstance(value, list) else str(value).lower()
            for name, value in self.as_wire().items()
        }
        return "; ".join(f"{name} {text}" for name, text in texts.items())


NO_PREFERENCES = OpenRouterPreferences()


def merged(layers: Sequence[OpenRouterPreferences]) -> OpenRouterPreferences:
    """Return what holds when several stand one behind the other, the last nearest to the request."""
    outspoken = [layer for layer in layers if layer.model_fields_set]
    if len(outspoken) <= 1:
        return outspoken[0] if outspoken else NO_PREFERENCES
    whole: dict[str, Any] = {}
    for layer in outspoken:
        whole |= {name: value for name, value in layer if value is not None}
    if any(layer.data_collection == "deny" for layer in outspoken):
        whole["data_collection"] = "deny"
    if any(layer.zdr for layer in outspoken):
        whole["zdr"] = True
    return OpenRouterPreferences.model_construct(**whole)
