"""Which side of an experiment a request is on, and how its row in the ledger says so: by tags of our own.

    arm:faq@1a2b3c4d:candidate    the side; before the @ the experiment, behind it what is measured
    arm:faq@1a2b3c4d:passed       whether its answer passes the experiment's checks, or `failed`
    arm:faq@1a2b3c4d:of:0193ab…   whose answer a shadow stands beside
    arm:faq@1a2b3c4d:prefers:live which of the two a judge prefers: `live`, `candidate` or `neither`

No caller may use tags that begin so (`core.names`), so that nobody else writes into a measurement.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.core.names import ARM_TAG


class ArmKind(StrEnum):
    """The side of an experiment."""

    LIVE = "live"
    """Answered as ever."""
    CANDIDATE = "candidate"
    """Answered by the candidate."""
    PROMOTED = "promoted"
    """Answered by the candidate, as all are now."""
    SHADOW = "shadow"
    """Asked beside a live answer; nobody reads it."""
    JUDGE = "judge"
    """Which of the two is better, asked of a model."""


class Preferred(StrEnum):
    """Which answer a judge prefers, whichever stands first."""

    LIVE = "live"
    CANDIDATE = "candidate"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Arm:
    """The side that a request is on."""

    label: str
    """`faq@1a2b3c4d`: the experiment, and a fingerprint of what it measures."""
    kind: ArmKind
    because: str
    """By what it came there, for people."""
    candidate: str
    """A fingerprint of the candidate."""
    is_shadowed: bool = False
    """The candidate is asked too, when this request has its answer."""
    shadow_of: str | None = None
    """The live request of a shadow, or of what a judge compares."""
    preferred: Preferred | None = None
    """What the judge says."""

    @property
    def experiment(self) -> str:
        """Return the name of its experiment."""
        return self.label.partition("@")[0]

    @property
    def asks_candidate(self) -> bool:
        """Return whether the candidate answers."""
        return self.kind in {ArmKind.CANDIDATE, ArmKind.PROMOTED, ArmKind.SHADOW}

    @property
    def text(self) -> str:
        """Return it for people."""
        return f"experiment '{self.experiment}': {self.kind.value} ({self.because})"

    def tags(self, *, passed: bool | None) -> tuple[str, ...]:
        """Return the tags of its row; `passed` is None where nothing was checked."""
        begin = f"{ARM_TAG}{self.label}:"
        checked = () if passed is None else (f"{begin}{'passed' if passed else 'failed'}",)
        linked = () if self.shadow_of is None else (f"{begin}of:{self.shadow_of}",)
        preference = () if self.preferred is None else (f"{begin}{_PREFERS}{self.preferred.value}",)
        return (f"{begin}{self.kind.value}", *checked, *linked, *preference)


@dataclass(frozen=True, slots=True)
class ArmTags:
    """What the tags of a row say of one experiment."""

    kind: ArmKind
    passed: bool | None
    shadow_of: str | None
    preferred: Preferred | None = None


def read_tags(tags: Iterable[str], label: str) -> ArmTags | None:
    """Return what the tags of a row say of an experiment, None where they say nothing of it."""
    begin = f"{ARM_TAG}{label}:"
    words = [tag.removeprefix(begin) for tag in tags if tag.startswith(begin)]
    kind = next((word for word in words if word in _KINDS), None)
    if kind is None:
        return None
    passed = True if "passed" in words else False if "failed" in words else None
    shadow_of = next((word.removeprefix("of:") for word in words if word.startswith("of:")), None)
    preferred = next((word.removeprefix(_PREFERS) for word in words if word.startswith(_PREFERS)), None)
    return ArmTags(ArmKind(kind), passed, shadow_of, None if preferred is None else Preferred(preferred))


def sides(tags: Iterable[str]) -> tuple[tuple[str, ArmKind], ...]:
    """Return the experiments that the tags of a row name, each with the side."""
    words = (tag.removeprefix(ARM_TAG).split(":") for tag in tags if tag.startswith(ARM_TAG))
    return tuple(
        (label.partition("@")[0], ArmKind(rest[0])) for label, *rest in words if rest and rest[0] in _KINDS
    )


_KINDS = frozenset(ArmKind)
_PREFERS = "prefers:"
