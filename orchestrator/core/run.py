"""A run: calls of one agent that share a budget of their own, and its parts.

    orchestrator.complete(prompt, run="thread-42", max_cost_usd=0.50)
    orchestrator.complete(prompt, run="thread-42/researcher", max_cost_usd=0.20)

A run belongs to its tenant. What a part of a run spends counts for the whole run too. Around a piece of
work, `counting` says which run all calls inside count for that name none.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Self, overload

from orchestrator.core.errors import InvalidRequestError, about
from orchestrator.core.money import ZERO_NUSD, NanoUsd, nano_usd, typed_usd
from orchestrator.core.names import NAME_MAX, name_of

RUN_DEPTH_MAX = 8
"""A run and its parts in one name: each is a counter in every booking."""
_PART = "/"


@dataclass(frozen=True, slots=True)
class Run:
    """The run that a call belongs to, and the most that all its calls may cost."""

    name: str
    """`thread-42`, or `thread-42/researcher` for a part of it."""
    max_cost_nusd: NanoUsd | None = None
    """The most that all calls of this run, or of this part, may cost; None names no limit."""
    limits_around: tuple[tuple[str, NanoUsd], ...] = ()
    """Names and limits of runs that it is a part of, where they are known: it may be the first to spend."""

    def __post_init__(self) -> None:
        """Take the name as the ledger counts it.

        Raises:
            InvalidRequestError: it is no name, has too many parts, or the limit is none.
        """
        with about("run"):
            object.__setattr__(self, "name", _counted(self.name))
        most = self.max_cost_nusd
        if most is not None and (type(most) is not int or most <= 0):
            raise InvalidRequestError(f"the limit of a run is more than nothing, got {most!r}")

    @overload
    @classmethod
    def of(cls, raw: "str | Run", max_cost_usd: Any = None) -> Self: ...

    @overload
    @classmethod
    def of(cls, raw: Any, max_cost_usd: Any = None) -> Self | None: ...

    @classmethod
    def of(cls, raw: Any, max_cost_usd: Any = None) -> Self | None:
        """Return the run that a caller names, None where none is named.

        Raises:
            InvalidRequestError: no run, a limit without a run, or an amount that is none.
        """
        if isinstance(raw, Run):
            if max_cost_usd is not None:
                raise InvalidRequestError("'max_cost_usd' is given with the name of a run, not with a `Run`")
            return raw  # type: ignore[return-value]
        if raw is not None:
            return cls(raw, None if max_cost_usd is None else _amount(max_cost_usd))
        with about("max_cost_usd"):
            if max_cost_usd is not None:
                raise InvalidRequestError(
                    "'max_cost_usd' is for all calls of a run: name it with 'run', or limit this one request "
                    "with 'max_cost_nusd'"
                )
        return None

    def limit_of(self, name: str) -> NanoUsd | None:
        """Return the limit that is named for a run of its lineage, None where none is."""
        return self.max_cost_nusd if name == self.name else dict(self.limits_around).get(name)

    def part(self, name: str, max_cost_nusd: NanoUsd | None = None) -> Self:
        """Return the part of it that is called so: `researcher` or `thread-42/researcher` of `thread-42`.

        By its own name it is the run itself.

        Raises:
            InvalidRequestError: no name, or too many parts.
        """
        inner = replace(self, name=name, max_cost_nusd=max_cost_nusd, limits_around=())
        if self.name not in inner.lineage:
            inner = replace(inner, name=f"{self.name}{_PART}{inner.name}")
        return inner.inside(self)

    def inside(self, outer: "Run | None") -> Self:
        """Return it with the limits of `outer`, where that is of its lineage; the smaller of two holds."""
        if outer is None or outer.name not in self.lineage:
            return self
        if outer.name == self.name:
            named = [most for most in (outer.max_cost_nusd, self.max_cost_nusd) if most is not None]
            known = _smaller(self.limits_around, outer.limits_around)
            return replace(self, max_cost_nusd=min(named, default=None), limits_around=known)
        own = () if outer.max_cost_nusd is None else ((outer.name, outer.max_cost_nusd),)
        return replace(self, limits_around=_smaller(self.limits_around, (*outer.limits_around, *own)))

    @property
    def lineage(self) -> tuple[str, ...]:
        """Return the run and its parts, the whole first: `thread-42`, `thread-42/researcher`."""
        parts = self.name.split(_PART)
        return tuple(_PART.join(parts[: count + 1]) for count in range(len(parts)))


_around: ContextVar[Run | None] = ContextVar("orchestrator_run", default=None)


@contextmanager
def counting(run: Run) -> Iterator[None]:
    """Let every call inside that names no run count for `run`, in threads and tasks begun inside too."""
    token = _around.set(run)
    try:
        yield
    finally:
        _around.reset(token)


def counted_for(named: Run | None) -> Run | None:
    """Return the run that a call counts for: the one it names, else the one that stands around it."""
    around = _around.get()
    return around if named is None else named.inside(around)


def run_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a request with `run` and `max_cost_usd` as one `Run`.

    Raises:
        InvalidRequestError: no run, a limit without a run, or an amount that is none.
    """
    if "run" not in fields and "max_cost_usd" not in fields:
        return dict(fields)
    others = {name: value for name, value in fields.items() if name not in {"run", "max_cost_usd"}}
    return {**others, "run": Run.of(fields.get("run"), fields.get("max_cost_usd"))}


def _smaller(
    some: tuple[tuple[str, NanoUsd], ...], others: tuple[tuple[str, NanoUsd], ...]
) -> tuple[tuple[str, NanoUsd], ...]:
    """Return the limits of both, the smaller of two for one run."""
    known: dict[str, NanoUsd] = {}
    for name, most in (*others, *some):
        known[name] = min(most, known.get(name, most))
    return tuple(known.items())


def _counted(raw: Any) -> str:
    """Return the name of a run as the ledger counts it: each of its parts is a name."""
    parts = name_of(raw, "run").split(_PART)
    if len(parts) > RUN_DEPTH_MAX:
        raise InvalidRequestError(f"'run' has at most {RUN_DEPTH_MAX} parts, got {len(parts)}")
    if not all(part.strip() for part in parts):
        raise InvalidRequestError(f"'run' has a part without a name, got {raw!r:.60}")
    name = _PART.join(name_of(part, "run") for part in parts)
    if len(name) > NAME_MAX:
        raise InvalidRequestError(f"'run' has at most {NAME_MAX} characters, got {len(name)}")
    return name


def _amount(raw: Any) -> NanoUsd:
    try:
        amount = typed_usd(raw) if isinstance(raw, str) else nano_usd(raw)
    except ValueError:
        amount = ZERO_NUSD
    with about("max_cost_usd"):
        if amount == 0:
            raise InvalidRequestError(
                f"'max_cost_usd' must be dollars greater than 0, in plain digits such as 0.5, got {raw!r:.60}"
            )
    return amount
