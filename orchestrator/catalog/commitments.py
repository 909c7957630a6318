"""What a provider is paid whether it is used or not: a promised spend, or throughput that is kept ready."""

from datetime import date as Day  # noqa: N812 -- as in `price`
from typing import Annotated, Self

from pydantic import Field, model_validator

from orchestrator.core.settings import Name, Settings, UsdLimit


class CommitmentSettings(Settings):
    """What a provider is paid a month, used or not."""

    provider: Name
    """To whom."""
    usd_per_month: UsdLimit
    """Dollars a month of 30 days: the spend that was promised, or the price of the throughput."""
    tokens_per_min: Annotated[int, Field(gt=0)] | None = None
    """What the throughput that is paid for holds, input and output; left out for a promised spend, which
    what is booked for the provider uses up."""
    since: Day
    """The first day it is paid for."""
    until: Day
    """The last day it is paid for."""

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.until < self.since:
            msg = f"until {self.until} is before since {self.since}; swap them"
            raise ValueError(msg)
        return self

    def holds_on(self, day: Day) -> bool:
        """Return whether it is paid for on a day."""
        return self.since <= day <= self.until
