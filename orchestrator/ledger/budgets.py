"""How much may be spent of a scope.

A limit belongs to a scope (`all`, `tenant:acme`, `use_case:cost_sensitive`, `user:42`, `provider:google`,
`model:gpt-6-luna`, `tag:trial`) and a window (`request`, `hour`, `day`, `week`, `month`). `tenant:*` gives
every tenant the same limit, each its own; a limit written for one name replaces it. Hours to months are
calendar windows in the configured time zone.

Where ops say so, what a window has left of its own limit may be spent in the next one, and there alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from orchestrator.catalog.models import ModelClass
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.money import ZERO_NUSD, NanoUsd
from orchestrator.core.names import EVERY_NAME, PROMPT_TAG, name_of
from orchestrator.core.payer import SCOPE_KINDS
from orchestrator.core.prompt_size import InputBound
from orchestrator.core.settings import Settings, Share, Usd, UsdLimit
from orchestrator.ledger.periods import CALENDAR, Period, Window, period_of, week_of

__all__ = [
    "CALENDAR", "BudgetSettings", "BudgetTier", "LimitSettings", "Limits", "Period", "Rollover", "Window",
    "WindowLimit", "known_zone", "period_of", "rolled_over", "tier_for", "week_of",
]  # fmt: skip


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


class Rollover(Settings):
    """How much of what a window leaves unused may be spent in the next one."""

    enabled: bool = True
    """Whether anything may."""
    max: UsdLimit | None = None
    """The most that is taken over, in dollars; None is all that the window left of its own limit."""


def _rollover(raw: Any) -> Any:
    return {"enabled": raw} if isinstance(raw, bool) else raw


class LimitSettings(Settings):
    """The limits of one scope, in dollars; a window that is left out has none."""

    scope: Annotated[str, Field(min_length=1)]
    """all, or kind and name: tenant:acme, use_case:, user:, provider:, model:, tag:; * for every name."""
    request: UsdLimit | None = None
    """The most one request may cost, in dollars."""
    hour: UsdLimit | None = None
    """The most that may be spent in an hour by the clock, in dollars."""
    day: UsdLimit | None = None
    """The most that may be spent in a calendar day, in dollars."""
    week: UsdLimit | None = None
    """The most that may be spent in a week from Monday on, in dollars."""
    month: UsdLimit | None = None
    """The most that may be spent in a calendar month, in dollars."""
    rollover: Annotated[Rollover, BeforeValidator(_rollover, json_schema_input_type=bool | Rollover)] = (
        Rollover(enabled=False)
    )
    """true, or max: what an hour, day, week or month leaves of its limit is added to the next one's."""

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
        windows = [window for window in CALENDAR if getattr(self, window.value) is not None]
        if self.request is None and not windows:
            msg = f"scope '{self.scope}' has no limit: give it a request, hour, day, week or month"
            raise ValueError(msg)
        if self.rollover.enabled and not windows:
            msg = (
                f"scope '{self.scope}' has nothing to roll over: give it an hour, day, week or month, "
                "or leave 'rollover' out"
            )
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
    """Hours to months are those of this zone; all processes on one ledger have the same."""
    limits: tuple[LimitSettings, ...] = ()
    """Those of all scopes hold at once; a named one stands in the place of its kind's `*`, window by
    window."""
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


def tier_for(tiers: tuple[BudgetTier, ...], left: NanoUsd | None) -> BudgetTier | None:
    """Return the tier of what is left of the day's budget: the highest threshold passed, else the lowest.

    None when no tiers are configured, or when the day has no limit.
    """
    if not tiers or left is None:
        return None
    passed = [tier for tier in tiers if left > tier.above]
    return max(passed, key=_above) if passed else min(reversed(tiers), key=_above)


def _above(tier: BudgetTier) -> NanoUsd:
    return tier.above


@dataclass(frozen=True, slots=True)
class WindowLimit:
    """The most that may be spent in a window, and of the window before it."""

    limit_nusd: NanoUsd
    rollover_nusd: NanoUsd = ZERO_NUSD
    """The most that is added of what the window before left of the same limit."""


def rolled_over(limit_nusd: int, rollover_nusd: int, *, used_before_nusd: int) -> NanoUsd:
    """Return what is added to a limit: what the window before left of it, as far as it rolls over.

    A window spends its own limit first. So what was added to it ends with it, and of its own limit no part is
    ever added twice.
    """
    return NanoUsd(min(rollover_nusd, max(0, limit_nusd - used_before_nusd)))


_NO_LIMITS: Mapping[Window, WindowLimit] = {}
_PROMPT_SCOPE = f"tag:{PROMPT_TAG}"


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
        limit = self.all_of(scope).get(window)
        return None if limit is None else limit.limit_nusd

    def has_own(self, scope: str) -> bool:
        """Return whether a scope has limits of its own, beside those of every name."""
        return scope in self._by_scope

    def all_of(self, scope: str) -> Mapping[Window, WindowLimit]:
        """Return the limits of a scope by window, as far as it has them."""
        own = self._limits.get(scope)
        if own is not None:
            return own
        if not self._of_kind or scope.startswith(_PROMPT_SCOPE):
            # Nobody chose that tag to be limited: it says which prompt was asked, for all tenants.
            return _NO_LIMITS
        return self._of_kind.get(scope.partition(":")[0], _NO_LIMITS)

    def _merged(self, scope: str) -> Mapping[Window, WindowLimit]:
        limits: dict[Window, WindowLimit] = {}
        for window in (Window.REQUEST, *CALENDAR):
            for key in (scope, f"{scope.partition(':')[0]}:*"):
                settings = self._by_scope.get(key)
                limit = getattr(settings, window.value, None)
                if settings is not None and limit is not None:
                    limits.setdefault(window, _window_limit(limit, settings.rollover, window))
        return limits

    def named(self) -> tuple[tuple[str, Window], ...]:
        """Return each calendar window that the settings limit for one named scope, or for all."""
        return tuple(
            (scope, window)
            for scope in self._written
            for window in CALENDAR
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
        tightest: tuple[str, NanoUsd] | None = None
        for scope in scopes:
            limit = self.all_of(scope).get(Window.REQUEST)
            if limit is not None and (tightest is None or limit.limit_nusd < tightest[1]):
                tightest = scope, limit.limit_nusd
        return tightest


def _window_limit(limit: NanoUsd, rollover: Rollover, window: Window) -> WindowLimit:
    if not rollover.enabled or window is Window.REQUEST:
        return WindowLimit(NanoUsd(limit))
    most = limit if rollover.max is None else min(limit, rollover.max)
    return WindowLimit(NanoUsd(limit), NanoUsd(most))
