"""How much may be spent of a scope, and when its windows end.

A limit belongs to a scope (`all`, `tenant:acme`, `use_case:cost_sensitive`, `user:42`,
`provider:google`, `tag:trial`) and a window (`request`, `day`, `month`). `tenant:*` gives every
tenant the same limit, each its own; a limit written for one name replaces it. Days and months
are calendar windows in the configured time zone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, field_validator, model_validator

from orchestrator.catalog.catalog import ModelClass
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.money import NanoUsd
from orchestrator.core.names import EVERY_NAME, PROMPT_TAG, name_of
from orchestrator.core.payer import SCOPE_KINDS
from orchestrator.core.prompt_size import InputBound
from orchestrator.core.settings import Settings, Share, Usd, UsdLimit


class Window(StrEnum):
    """The time a limit speaks of."""

    REQUEST = "request"
    DAY = "day"
    MONTH = "month"


def known_zone(name: str) -> str:
    """Return the name of a time zone as it was written.

    Raises:
        ValueError: there is no such zone.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as exc:
        msg = f"unknown time zone '{name}'; use a name such as Asia/Ho_Chi_Minh or UTC"
        raise ValueError(msg) from exc
    return name


def _counted(name: str) -> str:
    try:
        return name_of(name, "scope")
    except InvalidRequestError as exc:
        raise ValueError(str(exc)) from exc


class LimitSettings(Settings):
    """The limits of one scope, in dollars; a window that is left out has none."""

    scope: Annotated[str, Field(min_length=1)]
    """all, or kind and name: tenant:acme, use_case:..., user:..., provider:..., tag:...; * for every name."""
    request: UsdLimit | None = None
    """The most one request may cost, in dollars."""
    day: UsdLimit | None = None
    """The most that may be spent in a calendar day, in dollars."""
    month: UsdLimit | None = None
    """The most that may be spent in a calendar month, in dollars."""

    @field_validator("scope")
    @classmethod
    def _scope_is_known(cls, scope: str) -> str:
        kind, _, name = scope.partition(":")
        if kind not in SCOPE_KINDS or (kind == "all") == bool(name):
            msg = f"'{scope}' is no scope; write all, or one of {', '.join(SCOPE_KINDS[1:])} with a name: tenant:acme"
            raise ValueError(msg)
        # As it is counted: a limit for another spelling of a name would limit nothing.
        return f"{kind}:{_counted(name)}" if name not in {"", EVERY_NAME} else scope

    @model_validator(mode="after")
    def _limits_something(self) -> "LimitSettings":
        if self.request is None and self.day is None and self.month is None:
            msg = f"scope '{self.scope}' has no limit: give it a request, day or month"
            raise ValueError(msg)
        return self


class BudgetTier(Settings):
    """How good a model may be while a part of the day's budget is left."""

    above: Usd
    """Applies while more dollars than this are left of the day's budget of scope all."""
    best: ModelClass
    """The best class of model that is asked."""
    max_tokens_share: Share = 1.0
    """The part of a use case's max_tokens that a reply may take."""


class BudgetSettings(Settings):
    """What may be spent."""

    time_zone: Annotated[str, AfterValidator(known_zone)] = "UTC"
    """Days and months begin at midnight of this zone; all processes on one ledger have the same."""
    limits: tuple[LimitSettings, ...] = ()
    """All of them hold at once."""
    input_bound: InputBound = InputBound.BYTES
    """What bounds a request's input: bytes, which is proven, or calibrated, closer (docs/why/money.md)."""
    tiers: tuple[BudgetTier, ...] = ()
    """What is left of the day's budget of scope all steers the choice of models; never_degrade opts out."""

    @field_validator("limits")
    @classmethod
    def _once_each(cls, limits: tuple[LimitSettings, ...]) -> tuple[LimitSettings, ...]:
        seen: set[str] = set()
        for limit in limits:
            if limit.scope in seen:
                msg = f"scope '{limit.scope}' is limited twice; put its limits into one entry"
                raise ValueError(msg)
            seen.add(limit.scope)
        return limits


@dataclass(frozen=True, slots=True)
class Period:
    """The day and month that a moment falls into, as the ledger keys them."""

    day: str
    """`2026-11-23`"""
    month: str
    """`2026-11`"""
    day_ends_at: datetime
    month_ends_at: datetime
    time_zone: str
    """Whose day and month they are."""

    def key(self, window: Window) -> str:
        """Return the key of a window."""
        return self.day if window is Window.DAY else self.month

    def ends_at(self, window: Window) -> datetime:
        """Return when a window ends."""
        return self.day_ends_at if window is Window.DAY else self.month_ends_at


def period_of(moment: datetime, time_zone: str) -> Period:
    """Return the calendar windows of a moment; days of 23 or 25 hours are what the zone says."""
    return _period_of_day(moment.astimezone(ZoneInfo(time_zone)).date(), time_zone)


@lru_cache(maxsize=16)
def _period_of_day(day: date, time_zone: str) -> Period:
    # Remembered: every booking asks, and nearly all of them ask for the same day.
    zone = ZoneInfo(time_zone)
    next_day = datetime.combine(day + timedelta(days=1), time.min, zone)
    next_month = datetime.combine((day.replace(day=1) + timedelta(days=32)).replace(day=1), time.min, zone)
    return Period(f"{day:%Y-%m-%d}", f"{day:%Y-%m}", next_day, next_month, time_zone)


def tier_for(tiers: tuple[BudgetTier, ...], left: NanoUsd | None) -> BudgetTier | None:
    """Return the tier of what is left of the day's budget: the highest threshold passed, else the lowest.

    None when no tiers are configured, or when the day has no limit.
    """
    if not tiers or left is None:
        return None
    falling = sorted(tiers, key=lambda tier: tier.above, reverse=True)
    return next((tier for tier in falling if left > tier.above), falling[-1])


_NO_LIMITS: Mapping[Window, NanoUsd] = {}


class Limits:
    """The configured limits, ready to be asked for a scope."""

    def __init__(self, settings: BudgetSettings, *, own: tuple[LimitSettings, ...] = ()) -> None:
        """Index the limits by scope; `own` are those of our parts, unless the settings name their scopes."""
        self.time_zone = settings.time_zone
        self._written = tuple(limit.scope for limit in settings.limits)
        self._by_scope: Mapping[str, LimitSettings] = {
            limit.scope: limit for limit in (*own, *settings.limits)
        }
        self._limits = {scope: self._merged(scope) for scope in self._by_scope}
        self._of_kind = {
            scope.removesuffix(":*"): limits for scope, limits in self._limits.items() if scope.endswith(":*")
        }

    def of(self, scope: str, window: Window) -> NanoUsd | None:
        """Return the limit of a scope in a window; its own before that of every name, None for no limit."""
        return self.all_of(scope).get(window)

    def all_of(self, scope: str) -> Mapping[Window, NanoUsd]:
        """Return the limits of a scope by window, as far as it has them."""
        own = self._limits.get(scope)
        if own is None and scope.startswith(f"tag:{PROMPT_TAG}"):
            # Nobody chose that tag to be limited: it says which prompt was asked, for all tenants.
            return _NO_LIMITS
        return own if own is not None else self._of_kind.get(scope.partition(":")[0], _NO_LIMITS)

    def _merged(self, scope: str) -> Mapping[Window, NanoUsd]:
        limits: dict[Window, NanoUsd] = {}
        for window in Window:
            for key in (scope, f"{scope.partition(':')[0]}:*"):
                limit = getattr(self._by_scope.get(key), window.value, None)
                if limit is not None:
                    limits.setdefault(window, NanoUsd(limit))
        return limits

    def named(self) -> tuple[tuple[str, Window], ...]:
        """Return each day and month that the settings limit for one named scope, or for all."""
        return tuple(
            (scope, window)
            for scope in self._written
            for window in (Window.DAY, Window.MONTH)
            if not scope.endswith(":*") and self.of(scope, window) is not None
        )

    def overlong(self) -> Iterator[tuple[str, Window, NanoUsd, Window, NanoUsd]]:
        """Yield each limit of a scope that is above the limit of its next longer window, and that limit."""
        for scope in self._written:
            windows = [(window, limit) for window in Window if (limit := self.of(scope, window)) is not None]
            for (shorter, limit), (longer, ceiling) in pairwise(windows):
                if limit > ceiling:
                    yield scope, shorter, limit, longer, ceiling

    def tightest_for_request(self, scopes: tuple[str, ...]) -> tuple[str, NanoUsd] | None:
        """Return the scope with the smallest limit for a single request, and that limit."""
        limits = [(scope, limit) for scope in scopes if (limit := self.of(scope, Window.REQUEST)) is not None]
        return min(limits, key=lambda entry: entry[1], default=None)
