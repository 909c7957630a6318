"""What the practice providers charged: prices, charges, and their exact sum.

A failed request costs nothing. A stream that was cut or abandoned costs its input and the tokens
sent until then. An answer in one piece costs all of it even if the client had gone. A provider that bills
when it accepts charges the whole answer, whatever becomes of it (`BilledWhen`).
"""

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from orchestrator.core.clock import Clock, SystemClock
from orchestrator.core.money import NanoUsd, NanoUsdPerMtok, cost_nusd

_POLL_S = 0.002


@dataclass(frozen=True, slots=True)
class PracticePrice:
    """Prices in nano-dollars per million tokens."""

    input: NanoUsdPerMtok
    output: NanoUsdPerMtok
    cached_input: NanoUsdPerMtok | None = None
    """None: cached input costs the same as other input."""
    cache_write: NanoUsdPerMtok | None = None
    """None: what is stored in the cache costs the same as other input."""

    def cost_of(self, usage: "PracticeUsage") -> NanoUsd:
        """Return what the usage costs, rounded up once."""
        cached = self.input if self.cached_input is None else self.cached_input
        written = self.input if self.cache_write is None else self.cache_write
        fresh_tokens = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
        return cost_nusd(
            (
                (fresh_tokens, self.input),
                (usage.cached_input_tokens, cached),
                (usage.cache_write_tokens, written),
                (usage.output_tokens, self.output),
            )
        )


DEFAULT_PRICE = PracticePrice(
    input=NanoUsdPerMtok(150_000_000),
    output=NanoUsdPerMtok(600_000_000),
    cached_input=NanoUsdPerMtok(75_000_000),
)
"""$0.15, $0.60 and $0.075 per million tokens."""


@dataclass(frozen=True, slots=True)
class PracticeUsage:
    """Tokens of one answer; cached and stored ones are part of the input, the reasoning of the output."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0


@dataclass(frozen=True, slots=True)
class PracticePrices:
    """The price of each (provider, model), and one for all the others."""

    prices: Mapping[tuple[str, str], PracticePrice] = field(default_factory=dict)
    default: PracticePrice = DEFAULT_PRICE

    def price_of(self, provider: str, model: str) -> PracticePrice:
        """Return the price that applies."""
        return self.prices.get((provider, model), self.default)


class BilledWhen(StrEnum):
    """When a provider writes an answer on its bill."""

    SENT = "sent"
    """When it is over, with the tokens that were sent until then."""
    ACCEPTED = "accepted"
    """When the request is taken, with all tokens of the answer that would come: also if it is then cut, an
    error, unreadable, or never comes. A body that counts tokens itself is billed as it says."""


class Delivered(StrEnum):
    """How much of an answer had reached the connection when it was charged."""

    WHOLE = "whole"
    PARTIAL = "partial"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class PracticeCharge:
    """What one answer cost."""

    request_id: str
    """The id in the provider's reply, such as OpenRouter's `gen-…`."""
    provider: str
    model: str
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    cost_nusd: NanoUsd
    streamed: bool
    delivered: Delivered
    own_key: bool = False
    """OpenRouter's: charged to a key of the customer's own."""

    def as_json(self) -> dict[str, Any]:
        """Return the charge as a JSON object."""
        return asdict(self)


class Bill:
    """All charges, safe to read and write from any thread.

    The totals cover every charge; of the charges themselves the last `kept` are remembered.
    """

    def __init__(self, *, kept: int = 100_000, clock: Clock | None = None) -> None:
        """Start with nothing charged."""
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._charges: deque[PracticeCharge] = deque(maxlen=kept)
        self._total_nusd: dict[str, int] = {}
        self._count: dict[str, int] = {}

    def add(self, charge: PracticeCharge) -> None:
        """Put a charge on the bill."""
        with self._lock:
            self._charges.append(charge)
            self._total_nusd[charge.provider] = self._total_nusd.get(charge.provider, 0) + charge.cost_nusd
            self._count[charge.provider] = self._count.get(charge.provider, 0) + 1

    @property
    def charges(self) -> tuple[PracticeCharge, ...]:
        """The remembered charges, oldest first."""
        with self._lock:
            return tuple(self._charges)

    def count(self, provider: str | None = None) -> int:
        """Return how many charges one provider made, or all of them."""
        with self._lock:
            return sum(self._count.values()) if provider is None else self._count.get(provider, 0)

    def total_nusd(self, provider: str | None = None) -> NanoUsd:
        """Return what one provider charged, or all of them."""
        with self._lock:
            totals = self._total_nusd
            return NanoUsd(sum(totals.values()) if provider is None else totals.get(provider, 0))

    def find(self, request_id: str) -> PracticeCharge | None:
        """Return the remembered charge with a reply's id."""
        return next((charge for charge in reversed(self.charges) if charge.request_id == request_id), None)

    def wait_for(self, count: int, *, timeout_s: float = 60.0) -> bool:
        """Block until at least `count` charges were made; False if that takes longer than `timeout_s`."""
        until_s = self._clock.monotonic_s() + timeout_s
        while self.count() < count:
            if self._clock.monotonic_s() >= until_s:
                return False
            self._clock.pause(_POLL_S)
        return True

    def clear(self) -> None:
        """Forget all charges and totals."""
        with self._lock:
            self._charges.clear()
            self._total_nusd.clear()
            self._count.clear()

    def as_json(self) -> dict[str, Any]:
        """Return totals and charges as a JSON object, amounts in nano-dollars."""
        with self._lock:
            return {
                "total_nusd": sum(self._total_nusd.values()),
                "providers": {
                    name: {"count": self._count[name], "total_nusd": total}
                    for name, total in self._total_nusd.items()
                },
                "charges": [charge.as_json() for charge in self._charges],
            }
