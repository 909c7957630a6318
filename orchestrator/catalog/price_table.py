"""A price as a table: what tokens cost from which length of prompt on, computed once.

It says what `Price.bound_of` and `Price.cost_of` say, in a fraction of their time: a plan asks it of every
deployment of a catalogue.
"""

from dataclasses import dataclass

from orchestrator.catalog.price import Price
from orchestrator.core.money import TOKENS_PER_MTOK, NanoUsd, NanoUsdPerMtok

_EVERY_PROMPT = -1


@dataclass(frozen=True, slots=True)
class _Step:
    """What tokens cost in a request with more input tokens than `above_input_tokens`."""

    above_input_tokens: int
    input: NanoUsdPerMtok
    output: NanoUsdPerMtok
    file: NanoUsdPerMtok
    """Of input tokens that may be of files."""


@dataclass(frozen=True, slots=True)
class PriceTable:
    """What a request with so many tokens costs: at most, and by the list."""

    bounds: tuple[_Step, ...]
    """The longest prompts first; the last step holds for every prompt."""
    listed: tuple[_Step, ...]
    """Likewise, by the list."""

    @classmethod
    def of(cls, price: Price) -> "PriceTable":
        """Return the table of a price."""
        named = (price, *price.changes)
        steps = sorted({tier.above_input_tokens for terms in named for tier in terms.tiers}, reverse=True)
        thresholds = (*steps, _EVERY_PROMPT)
        return cls(
            bounds=tuple(_Step(above, *price.bound_rates_at(above + 1)) for above in thresholds),
            listed=tuple(_listed(price, above) for above in thresholds),
        )

    def bound_of(self, *, input_tokens: int, output_tokens: int, file_tokens: int = 0) -> NanoUsd:
        """Return the most these tokens, or fewer, can cost; see `Price.bound_of`."""
        files = min(file_tokens, input_tokens) if file_tokens else 0
        return _cost_of(self.bounds, input_tokens, output_tokens, files)

    def cost_of(self, *, input_tokens: int, output_tokens: int) -> NanoUsd:
        """Return what these tokens cost by the list, none of them cached; see `Price.cost_of`."""
        return _cost_of(self.listed, input_tokens, output_tokens, 0)


def _listed(price: Price, above: int) -> _Step:
    rates = price.rates_at(above + 1)
    return _Step(above, rates.input, rates.output, rates.input)


def _cost_of(steps: tuple[_Step, ...], input_tokens: int, output_tokens: int, file_tokens: int) -> NanoUsd:
    step = steps[-1]
    if len(steps) > 1:
        step = next(step for step in steps if input_tokens > step.above_input_tokens)
    cost = input_tokens * step.input + output_tokens * step.output
    if file_tokens:
        cost += file_tokens * (step.file - step.input)
    return NanoUsd(-(-cost // TOKENS_PER_MTOK))
