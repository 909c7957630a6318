"""What each kind of token costs, and what a usage comes to at such rates."""

from collections.abc import Sequence

from pydantic import PositiveInt

from orchestrator.core.money import NanoUsd, NanoUsdPerMtok, cost_nusd
from orchestrator.core.reply import Usage
from orchestrator.core.settings import Settings, UsdPerMtok

BOUND_TOKENS_PER_PICTURE = 8_000
"""Held for a small picture in the input; more than any vendor takes for a fixed resolution."""


class Rates(Settings):
    """What each kind of token costs."""

    input: UsdPerMtok
    """Dollars per million input tokens."""
    output: UsdPerMtok
    """Dollars per million output tokens, reasoning included."""
    cached_input: UsdPerMtok | None = None
    """The price of input tokens the provider had cached; the input price when None."""
    cache_write: UsdPerMtok | None = None
    """The price of input tokens the provider stores in its cache; the input price when None."""
    audio_input: UsdPerMtok | None = None
    """The price of input tokens that are sound; the input price when None."""
    image_input: UsdPerMtok | None = None
    """The price of input tokens that are pictures; the input price when None."""
    audio_output: UsdPerMtok | None = None
    """The price of output tokens that are sound, which nobody here asks for; the output price when None."""
    image_output: UsdPerMtok | None = None
    """The price of output tokens that are pictures; the output price when None."""

    @property
    def dearest_file(self) -> NanoUsdPerMtok:
        """Return the most that a token of a file in the input costs."""
        return NanoUsdPerMtok(max(self.dearest_input, self.audio_input or 0, self.image_input or 0))

    @property
    def dearest_output(self) -> NanoUsdPerMtok:
        """Return the most that an output token costs: a model may draw unasked."""
        return NanoUsdPerMtok(max(self.output, self.image_output or 0))

    @property
    def dearest_input(self) -> NanoUsdPerMtok:
        """Return the most that an input token costs, whatever the provider does with it."""
        return NanoUsdPerMtok(max(self.input, self.cached_input or 0, self.cache_write or 0))

    def paid_for(self, usage: Usage) -> NanoUsd:
        """Return what these tokens cost at these rates, rounded up."""
        # What has a rate of its own is none of the cached tokens: which ones those are nobody says.
        named_in = _named(
            ((usage.audio_input_tokens, self.audio_input), (usage.image_input_tokens, self.image_input))
        )
        named_out = _named(
            ((usage.audio_output_tokens, self.audio_output), (usage.image_output_tokens, self.image_output))
        )
        fresh = max(0, usage.input_tokens - _tokens(named_in))
        cached = min(usage.cached_input_tokens, fresh)
        written = min(usage.cache_write_tokens, fresh - cached)
        return cost_nusd(
            (
                (fresh - cached - written, self.input),
                (cached, self.input if self.cached_input is None else self.cached_input),
                (written, self.input if self.cache_write is None else self.cache_write),
                (max(0, usage.output_tokens - _tokens(named_out)), self.output),
                *named_in,
                *named_out,
            )
        )


class PriceTier(Rates):
    """What tokens cost when a request has more input than a threshold."""

    above_input_tokens: PositiveInt
    """With more input tokens than this, every token of the request costs this tier's price."""


_Named = tuple[tuple[int, NanoUsdPerMtok], ...]


def _named(parts: Sequence[tuple[int, NanoUsdPerMtok | None]]) -> _Named:
    """Return the tokens that have a rate of their own, with it."""
    return tuple((tokens, rate) for tokens, rate in parts if tokens and rate is not None)


def _tokens(parts: _Named) -> int:
    return sum(tokens for tokens, _ in parts)
