"""What exists, what it can do, and what it costs since when.

A *model* is what chains and ops name; a *deployment* is one place that serves it; a *provider*
is the company or server that runs the place. The catalogue resolves names, aliases and prices, and
is frozen: a changed configuration makes a new one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    PositiveInt,
    model_validator,
)

from orchestrator.catalog.data_policy import UNKNOWN_POLICY, DataPolicy
from orchestrator.catalog.litellm_prefixes import (
    TAKES_NO_KEY,
    LiteLlmParameters,
    fault_of_prefix,
    faults_of_parameters,
    has_other_credentials,
)
from orchestrator.catalog.models import Mode, ModelSettings
from orchestrator.catalog.openrouter_preferences import NO_PREFERENCES, OpenRouterPreferences, merged
from orchestrator.catalog.price import Price, VolumeDiscount
from orchestrator.core.errors import ASK_WHO_OPERATES, PriceUnknownError, UnknownNameError
from orchestrator.core.plan import Excluded, Reason, ReasonKind
from orchestrator.core.settings import (
    ApiKey,
    HeaderName,
    HeaderValue,
    Name,
    OpenAddress,
    Seconds,
    Settings,
    UnquotedError,
)
from orchestrator.core.unknown_names import unknown


class ProviderKind(StrEnum):
    """The wire format of a provider."""

    OPENROUTER = "openrouter"
    GOOGLE = "google"
    OPENAI = "openai"
    LOCAL = "local"
    LITELLM = "litellm"


def _known_prefix(prefix: str) -> str:
    fault = fault_of_prefix(prefix)
    if fault is not None:
        raise ValueError(fault)
    return prefix


class ProviderSettings(Settings):
    """A provider, which serves models: address, key, headers, time and rate limits."""

    kind: ProviderKind
    """The wire format: openrouter, google, openai (or any server that speaks it), local; or litellm, for
    the others that LiteLLM reaches, by its prefix for them."""
    prefix: Annotated[str, AfterValidator(_known_prefix)] | None = None
    """For kind litellm: LiteLLM's name of the provider, such as anthropic, azure, bedrock or deepseek."""
    parameters: LiteLlmParameters = Field(default=LiteLlmParameters(), repr=False)
    """For kind litellm: what LiteLLM is told beside key and address."""
    openrouter_preferences: OpenRouterPreferences = NO_PREFERENCES
    """For kind openrouter: which of its hosts may serve, and on which terms."""
    data_policy: DataPolicy = UNKNOWN_POLICY
    """Where it processes prompts, and what it does with them, as its contract says."""
    priority: PositiveInt
    """1 is asked first; the levels of the fallback hierarchy."""
    base_url: OpenAddress | None = None
    """The address of the API; None for the embedded local model."""
    api_key: ApiKey | None = None
    """The key, best as `${NAME}`; a provider without one is off. Not needed for kind local."""
    headers: Mapping[HeaderName, HeaderValue] = Field({}, repr=False)
    """Headers sent with every request; they may hold a key."""
    timeout_s: Seconds = 30.0
    """The longest one attempt may take."""
    first_token_timeout_s: Seconds = 15.0
    """The longest a stream may take to its first word."""
    stall_timeout_s: Seconds = 10.0
    """The longest a stream may pause between words."""
    requests_per_min: PositiveInt = 60
    """Requests it takes in any sixty seconds of each process; from 30 on half of them at once, the others
    spread."""
    tokens_per_min: PositiveInt = 100_000
    """Tokens it takes in any sixty seconds of each process, input and output."""
    volume_discounts: tuple[VolumeDiscount, ...] = ()
    """What it takes off once enough was spent with it this month; never off a cost that it reports itself."""
    enabled: bool = True
    """false switches it off, as a missing key does."""

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        named = tuple(self.parameters.as_arguments())
        if self.kind is not ProviderKind.LITELLM:
            fault = "'prefix' and 'parameters' are for kind litellm" if self.prefix or named else None
        elif self.prefix is None:
            fault = "kind litellm needs 'prefix', LiteLLM's name of the provider, such as anthropic"
        else:
            fault = faults_of_parameters(self.prefix, named, base_url=self.base_url)
        if self.kind is not ProviderKind.OPENROUTER and self.openrouter_preferences.as_wire():
            fault = "'openrouter_preferences' are for kind openrouter"
        if fault is not None:
            # Of what stands in the file it names a known prefix and names of keys.
            raise UnquotedError(fault)
        return self

    @property
    def has_key(self) -> bool:
        """Return whether it has a key, or what its prefix takes in the place of one."""
        if has_other_credentials(self.prefix, tuple(self.parameters.as_arguments())):
            return True
        return self.prefix not in TAKES_NO_KEY and bool(
            self.api_key is not None and self.api_key.get_secret_value().strip()
        )


class DeploymentSettings(Settings):
    """One place that serves a model."""

    provider: Name
    """One of `providers`."""
    model: Name
    """One of `models`."""
    upstream: Annotated[str, Field(min_length=1)]
    """The provider's own id of the model."""
    price: Price | None = None
    """None takes the first price that another source knows of the vendor whose address the provider has (see
    `prices`); no price anywhere is an error."""
    openrouter_preferences: OpenRouterPreferences = NO_PREFERENCES
    """For a provider of kind openrouter: what counts before the provider's own preferences."""
    data_policy: DataPolicy = UNKNOWN_POLICY
    """What counts before the provider's own data policy, such as the region of this place."""
    enabled: bool = True
    """false takes it out of every route."""


class AliasSettings(Settings):
    """An old name that still works, and the model that stands behind it now."""

    model: Name
    """The model that is meant, or another alias."""
    note: str = ""
    """Why, for people."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One place that serves a model, with everything the policies ask about it."""

    name: str
    model_name: str
    model: ModelSettings
    provider_name: str
    provider: ProviderSettings
    upstream: str
    price: Price
    preferences: OpenRouterPreferences = NO_PREFERENCES
    """Which of OpenRouter's hosts may serve it; nothing is set at any other provider."""
    data_policy: DataPolicy | None = UNKNOWN_POLICY
    """What becomes of prompts there; None of the model on board, which sends them nowhere."""

    def preferring(self, nearer: OpenRouterPreferences) -> "Deployment":
        """Return it with preferences that count before its own; itself where OpenRouter does not serve it."""
        # Most are the same object, and comparing settings costs more than all else that is asked here.
        is_none = nearer is NO_PREFERENCES or nearer == NO_PREFERENCES
        if is_none or self.provider.kind is not ProviderKind.OPENROUTER:
            return self
        return replace(self, preferences=merged((self.preferences, nearer)))

    @property
    def is_local(self) -> bool:
        """Return whether it needs no network."""
        return self.provider.kind is ProviderKind.LOCAL


@dataclass(frozen=True, slots=True)
class MissingKey:
    """Why a deployment is off whose provider has no key."""

    provider: str
    remedy: str
    """What to set: a variable of the environment, or a place in config.yaml."""

    def __str__(self) -> str:
        """Return it for one provider."""
        return f"it has no key; set {self.remedy}"


def keys_to_set(missing: Sequence[MissingKey]) -> str:
    """Return in one line which providers have no key, each once, and what to set."""
    providers = dict.fromkeys(key.provider for key in missing)
    *first, last = dict.fromkeys(key.remedy for key in missing)
    return f"no key is set for {', '.join(providers)}: set {', '.join(first)}{' or ' if first else ''}{last}"


_NAME_ANOTHER = f"name another, or {ASK_WHO_OPERATES}"
Kind = Literal["model", "deployment"]


@dataclass(frozen=True, slots=True)
class Catalog:
    """All deployments that may be asked, and every name by which they are known."""

    deployments: Mapping[str, Deployment]
    """The usable ones that answer chats: provider on, key present, priced."""
    off: Mapping[str, str | MissingKey]
    """The others, each with the reason in one line."""
    served: Mapping[str, str]
    """The model that each deployment serves, usable or not."""
    models: Mapping[str, ModelSettings]
    aliases: Mapping[str, AliasSettings]
    embeddings: Mapping[str, Deployment] = field(default_factory=dict)
    """The usable ones that make embeddings: apart, so that whoever looks for a chat model meets none."""
    switched_off: Mapping[str, Excluded] = field(default_factory=dict)
    """Those of `off`, as a plan leaves them out."""

    @classmethod
    def of(
        cls,
        usable: Mapping[str, Deployment],
        off: Mapping[str, str | MissingKey],
        served: Mapping[str, str],
        *,
        models: Mapping[str, ModelSettings],
        aliases: Mapping[str, AliasSettings],
    ) -> Self:
        """Return the catalogue of these deployments, each in the part of its mode."""
        of_mode: dict[Mode, dict[str, Deployment]] = {mode: {} for mode in Mode}
        for name, deployment in usable.items():
            of_mode[deployment.model.mode][name] = deployment
        left_out = {name: Excluded(name, Reason(ReasonKind.OFF, str(why))) for name, why in off.items()}
        return cls(of_mode[Mode.CHAT], off, served, models, aliases, of_mode[Mode.EMBEDDING], left_out)

    @property
    def usable(self) -> Mapping[str, Deployment]:
        """Return the usable deployments of every mode."""
        return {**self.deployments, **self.embeddings}

    def unknown(self, what: str, name: str, *others: str) -> str:
        """Return what is said of a name that no model, alias or deployment has, and none of some others."""
        aliases = {alias: each.model for alias, each in self.aliases.items()}
        return unknown(what, name, (*others, *self.models, *self.served), aliases=aliases)

    def knows(self, name: str) -> bool:
        """Return whether a model, an alias or a deployment has this name, usable or not."""
        return name in self.models or name in self.aliases or name in self.served

    @property
    def keyless(self) -> Mapping[str, MissingKey]:
        """Return those of `off` that want nothing but their provider's key."""
        return {name: why for name, why in self.off.items() if isinstance(why, MissingKey)}

    def named(self, name: str, *, mode: Mode = Mode.CHAT) -> tuple[Deployment, ...]:
        """Return the deployments a model, alias or deployment name stands for, best provider first.

        Raises:
            UnknownNameError: nothing has this name, it is of another mode, or all that has it is off.
        """
        usable = self.deployments if mode is Mode.CHAT else self.embeddings
        if name in usable:
            return (usable[name],)
        model_name = self.model_of(name)
        if model_name in self.models and self.models[model_name].mode is not mode:
            raise UnknownNameError(self._of_other_mode(name, mode))
        serving = [deployment for deployment in usable.values() if deployment.model_name == model_name]
        is_one_place = name in self.served and name not in self.models and name not in self.aliases
        if serving and not is_one_place:
            return tuple(sorted(serving, key=lambda deployment: deployment.provider.priority))
        if name in self.off:
            off = f"deployment '{name}' is off"
            raise UnknownNameError(f"{off}: {self.off[name]}").told_callers(f"{off}; {_NAME_ANOTHER}")
        if model_name in self.models:
            none = f"no usable deployment serves model '{model_name}'"
            why = self._why_off(model_name)
            raise UnknownNameError(f"{none}: {why}").told_callers(f"{none}; {_NAME_ANOTHER}")
        raise UnknownNameError(self.unknown("model", name))

    def model_of(self, name: str) -> str:
        """Return the model that a deployment serves or an alias stands for, else the name itself."""
        if name in self.aliases:
            return self.aliases[name].model
        return name if name in self.models else self.served.get(name, name)

    def _of_other_mode(self, name: str, mode: Mode) -> str:
        others = ", ".join(known for known, model in self.models.items() if model.mode is mode)
        if mode is Mode.CHAT:
            return (
                f"'{name}' makes embeddings and answers no chat: ask it with embed(), or name one of {others}"
            )
        known = f"name one of {others}" if others else "config.yaml defines no model of mode embedding"
        return f"'{name}' answers chats and makes no embeddings: {known}"

    def price_of(self, deployment: str) -> Price:
        """Return a deployment's price.

        Raises:
            PriceUnknownError: the deployment is not usable, so no price was settled for it.
        """
        if deployment not in self.usable:
            msg = f"no price for '{deployment}': it is not a usable deployment of config.yaml"
            raise PriceUnknownError(msg)
        return self.usable[deployment].price

    def hosts_of(self, nearer: OpenRouterPreferences) -> str:
        """Return which of OpenRouter's hosts may serve each deployment, as one text; empty where any may."""
        named = ((name, str(each.preferring(nearer).preferences)) for name, each in self.deployments.items())
        return "\n".join(f"{name}: {hosts}" for name, hosts in named if hosts)

    def _why_off(self, model_name: str) -> str:
        off = {name: why for name, why in self.off.items() if self.served[name] == model_name}
        missing = [why for why in off.values() if isinstance(why, MissingKey)]
        reasons = sorted({why for why in off.values() if isinstance(why, str)})
        reasons += [keys_to_set(missing)] if missing else []
        return "; ".join(reasons) or "none is defined under 'deployments' in config.yaml"
