"""On whose account a request is sent, and which budgets it therefore counts against."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Self

from pydantic import AfterValidator

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.names import name_of, tags_of
from orchestrator.core.request import ChatRequest
from orchestrator.core.run import Run
from orchestrator.core.settings import Name, UnquotedError

SCOPE_KINDS = ("all", "tenant", "use_case", "user", "provider", "model", "tag")


PROBE_PAYER = "probe:"
"""How the tenants begin on whose account our own looks at providers are sent: their money counts, and their
outcome is nobody's answer."""
SHADOW_PAYER = "shadow:"
"""How tenant and use case of an experiment's shadows begin: their money is nobody else's."""
JUDGE_PAYER = ":judge"
"""How the name ends of who pays for the judge of an experiment; no experiment's name ends so."""
OWN_PAYERS: Mapping[str, str] = {
    PROBE_PAYER: "our own looks at providers",
    SHADOW_PAYER: "shadows of experiments",
}
"""How a tenant begins that no caller is, and for what it pays: so ours is told from everybody else's."""


def is_own(tenant: str) -> bool:
    """Return whether what is sent on a tenant's account is our own: a probe, or an answer nobody reads."""
    return tenant.startswith(tuple(OWN_PAYERS))


def _use_case(name: str) -> str:
    if name.startswith(SHADOW_PAYER):
        raise UnquotedError(
            f"a use case that begins with '{SHADOW_PAYER}' would share its budget with the shadows of experiments, "
            "whose use case begins so: give it another name"
        )
    return name


UseCaseName = Annotated[Name, AfterValidator(_use_case)]
"""A use case that config.yaml defines."""


def shadowed_experiment(tenant: str) -> str | None:
    """Return whose shadows are sent on a tenant's account: the name of an experiment, None of all others."""
    return tenant.removeprefix(SHADOW_PAYER) if tenant.startswith(SHADOW_PAYER) else None


def shown_scope(scope: str) -> str:
    """Return a scope as people read it: who pays for shadows is `experiment:faq`, and no tenant."""
    kind, _, name = scope.partition(":")
    experiment = shadowed_experiment(name) if kind in {"tenant", "use_case"} else None
    return scope if experiment is None else f"experiment:{experiment}"


def _check_tenant(tenant: str) -> None:
    for begin, what in OWN_PAYERS.items():
        if tenant.startswith(begin):
            raise InvalidRequestError(
                f"a tenant that begins with '{begin}' pays for {what} alone; name another"
            )


@dataclass(frozen=True)
class ProbeRequest(ChatRequest):
    """A look of our own at a provider, whose tenant begins with `probe:`; no caller sends one.

    Build it with `ProbeRequest.of`.
    """


@dataclass(frozen=True, slots=True)
class Payer:
    """On whose account a request is sent."""

    tenant: str
    use_case: str
    user: str | None = None
    tags: tuple[str, ...] = ()
    run: Run | None = None
    """The run whose budget it counts against besides."""
    is_own: bool = field(default=False, repr=False)
    """Whether it is one of ours, which `of_shadow` and a `ProbeRequest` alone make."""

    def __post_init__(self) -> None:
        """Take every name as the ledger counts it, whoever names the payer.

        Raises:
            InvalidRequestError: one of them is no name, or the tenant is one of ours.
        """
        object.__setattr__(self, "tenant", name_of(self.tenant, "tenant"))
        object.__setattr__(self, "use_case", name_of(self.use_case, "use_case"))
        object.__setattr__(self, "user", None if self.user is None else name_of(self.user, "user"))
        object.__setattr__(self, "tags", tags_of(self.tags))
        if not self.is_own:
            _check_tenant(self.tenant)

    @classmethod
    def of_shadow(cls, experiment: str) -> Self:
        """Return who pays for the shadows of an experiment: no tenant, no use case, no user."""
        name = f"{SHADOW_PAYER}{experiment}"
        return cls(name, name, is_own=True)

    @classmethod
    def of_judge(cls, experiment: str) -> Self:
        """Return who pays for the judge of an experiment: its own money beside that of the shadows."""
        return cls.of_shadow(f"{experiment}{JUDGE_PAYER}")

    @classmethod
    def of(cls, request: ChatRequest) -> Self:
        """Return the payer that a request names.

        Raises:
            InvalidRequestError: its tenant is one of ours, and it is no probe.
        """
        return cls(
            request.tenant,
            request.use_case,
            request.user,
            request.tags,
            request.run,
            is_own=isinstance(request, ProbeRequest),
        )

    def scopes(self, provider: str = "", model: str = "") -> tuple[str, ...]:
        """Return every scope that a send of `model` to `provider` counts against, the widest first.

        Before they are chosen, of the limits of providers and models only that of every one applies.
        """
        scopes = ["all", f"tenant:{self.tenant}", f"use_case:{self.use_case}"]
        if self.user is not None:
            scopes.append(f"user:{self.user}")
        scopes += [f"provider:{provider}", f"model:{model}"]
        scopes.extend(f"tag:{tag}" for tag in sorted(set(self.tags)))
        return tuple(scopes)


def name_in(scopes: Iterable[str], kind: str) -> str | None:
    """Return the name of the first scope of a kind, `acme` of `tenant:acme`; None where there is none."""
    prefix = f"{kind}:"
    return next((scope.removeprefix(prefix) for scope in scopes if scope.startswith(prefix)), None)
