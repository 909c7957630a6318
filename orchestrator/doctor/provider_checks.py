"""Checks of one tier: key, models, one small prompt through the orchestrator, errors, headroom."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from orchestrator.catalog.catalog import Deployment, ProviderKind, ProviderSettings
from orchestrator.client import Orchestrator
from orchestrator.config.effective import masked
from orchestrator.config.loader import Config
from orchestrator.core.errors import (
    AllProvidersFailedError,
    LocalModelError,
    OrchestratorError,
    RejectedByProviderError,
)
from orchestrator.core.failures import FailureKind
from orchestrator.core.money import format_usd
from orchestrator.core.payer import PROBE_PAYER, ProbeRequest
from orchestrator.core.reply import ChatReply, Outcome, Usage
from orchestrator.core.request import CacheUse
from orchestrator.doctor.results import Check, CheckResult, failed, passed, skipped
from orchestrator.providers.account_api import Account, AccountError, AccountSession
from orchestrator.providers.local.model import LocalModelSettings, find_weights

TENANT = f"{PROBE_PAYER}doctor"
"""The tenant that the checks are booked for, in budgets and in the report."""
NO_SUCH_MODEL = "doctor-no-such-model"

_PROMPT = "Answer with one word: ready"
_MAX_TOKENS = 64
_LIVE = ("key", "models", "prompt", "format", "time", "errors", "headroom")
_MISSING_SHOWN = 5


@dataclass(frozen=True, slots=True)
class ProviderTier:
    """One provider that is on, with its usable deployments."""

    name: str
    provider: ProviderSettings
    deployments: tuple[Deployment, ...]
    local_model: LocalModelSettings
    """How the local tier is served."""

    @property
    def cheapest(self) -> Deployment:
        """Return the deployment whose check costs least."""
        usage = Usage(input_tokens=len(_PROMPT), output_tokens=_MAX_TOKENS)
        return min(self.deployments, key=lambda deployment: deployment.price.cost_of(usage))

    @property
    def is_local(self) -> bool:
        """Return whether it runs on this machine or near it, and needs no key."""
        return self.provider.kind is ProviderKind.LOCAL

    @property
    def is_embedded(self) -> bool:
        """Return whether it is the model that this process starts, and no other server."""
        return self.is_local and not self.local_model.base_url


def with_unknown_models(config: Config, tiers: tuple[ProviderTier, ...]) -> Config:
    """Return the configuration with one more deployment for each tier: of a model that does not exist."""
    deployments = dict(config.catalog.deployments)
    for tier in tiers:
        name = f"{tier.name}/{NO_SUCH_MODEL}"
        deployments[name] = replace(tier.cheapest, name=name, upstream=f"nextflow/{NO_SUCH_MODEL}")
    return replace(config, catalog=replace(config.catalog, deployments=deployments))


async def check_tier(
    tier: ProviderTier, *, orchestrator: Orchestrator, session: AccountSession
) -> list[Check]:
    """Return every check of a tier; without an accepted key, what needs one is skipped."""
    if tier.is_local:
        checks = [await _local_model(tier, session)]
    elif tier.provider.kind is ProviderKind.LITELLM:
        why = f"prefix '{tier.provider.prefix}' is asked for answers alone: see its prompt"
        checks = [skipped(tier.name, name, why) for name in ("key", "models", "headroom")]
    else:
        checks = await _account(tier, Account(tier.provider, session=session))
    if any(check.verdict is CheckResult.FAIL and (check.name == "key" or tier.is_local) for check in checks):
        done = {check.name for check in checks} | ({"key", "headroom"} if tier.is_local else set())
        checks.extend(skipped(tier.name, name, "mend this first") for name in _LIVE if name not in done)
        return checks
    checks.extend(await _prompt(tier, orchestrator))
    checks.append(await _errors(tier, orchestrator))
    return sorted(checks, key=lambda check: _LIVE.index(check.name))


async def _account(tier: ProviderTier, account: Account) -> list[Check]:
    checks = []
    try:
        headroom = await account.headroom()
        offered = await account.models()
    except AccountError as error:
        todo = (
            f"check the key that providers.{tier.name}.api_key takes from the environment"
            if error.key_refused
            else f"check the network and providers.{tier.name}.base_url"
        )
        detail = f"refused ({error})" if error.key_refused else str(error)
        return [failed(tier.name, "key", detail, todo=todo)]
    checks.append(passed(tier.name, "key", "accepted"))
    checks.append(_models(tier, offered))
    limits = f"{tier.provider.requests_per_min} requests and {tier.provider.tokens_per_min:,} tokens a minute"
    if headroom is None:
        checks.append(skipped(tier.name, "headroom", f"it tells none in advance; we keep to {limits}"))
    elif headroom.left_nusd is None:
        used = format_usd(headroom.used_nusd)
        checks.append(
            passed(tier.name, "headroom", f"no limit on this key, {used} used; we keep to {limits}")
        )
    elif headroom.left_nusd > 0:
        checks.append(
            passed(tier.name, "headroom", f"{format_usd(headroom.left_nusd)} left; we keep to {limits}")
        )
    else:
        checks.append(
            failed(
                tier.name, "headroom", "nothing left on this key", todo="add credit or raise the key's limit"
            )
        )
    return checks


async def _local_model(tier: ProviderTier, session: AccountSession) -> Check:
    """Look for the weights on this machine, or for the models of the server that replaces them."""
    settings = tier.local_model
    if not tier.is_embedded:
        server = tier.provider.model_copy(update={"base_url": settings.base_url})
        try:
            return _models(tier, await Account(server, session=session).models())
        except AccountError as error:
            todo = f"start the server at {masked(settings.base_url or '')}, or unset LOCAL_MODEL_BASE_URL"
            return failed(tier.name, "models", str(error), todo=todo)
    try:
        weights = find_weights(settings)
    except LocalModelError as error:
        return failed(
            tier.name, "models", str(error), todo="or set 'local_model.enabled: false' in config.yaml"
        )
    return passed(tier.name, "models", f"{weights.name} is on board")


def _models(tier: ProviderTier, offered: frozenset[str]) -> Check:
    missing = sorted(
        deployment.name
        for deployment in tier.deployments
        if deployment.upstream.partition(":")[0] not in offered | _bases(offered)
    )
    if not missing:
        count = len(tier.deployments)
        all_there = (
            "the one configured for chats is offered"
            if count == 1
            else f"all {count} configured for chats are offered"
        )
        return passed(tier.name, "models", all_there)
    named = ", ".join(missing[:_MISSING_SHOWN]) + (" and more" if len(missing) > _MISSING_SHOWN else "")
    return failed(
        tier.name,
        "models",
        f"not offered: {named}",
        todo="replace them in config.yaml, or set 'enabled: false' there",
    )


def _bases(offered: frozenset[str]) -> frozenset[str]:
    """Return the models without their variants (`:free`, `:nitro`)."""
    return frozenset(name.partition(":")[0] for name in offered)


async def _prompt(tier: ProviderTier, orchestrator: Orchestrator) -> list[Check]:
    """Send one small prompt, budgeted and booked like any other request."""
    try:
        reply = await orchestrator.acomplete(_probe(tier.cheapest.name, orchestrator))
    except OrchestratorError as error:
        booked = f" show {error.request_id}" if error.request_id else f" --tenant {TENANT}"
        todo = f"'orchestrator requests{booked}' has each attempt"
        return [
            failed(tier.name, "prompt", _in_words(error), todo=todo),
            *(skipped(tier.name, name, "needs an answer") for name in ("format", "time")),
        ]
    return list(_judged(tier, reply))


def _in_words(error: OrchestratorError) -> str:
    """Return an error as one line, in which what happened several times is told once."""
    if not isinstance(error, AllProvidersFailedError):
        return error.in_one_line
    times = Counter(f"{step.deployment}: {step.reason}" for step in error.steps)
    steps = "; ".join(f"{step}, {count} times" if count > 1 else step for step, count in times.items())
    message = str(error).partition("\n")[0]
    return f"{message} ({steps})" if steps else message


def _probe(deployment: str, orchestrator: Orchestrator) -> ProbeRequest:
    return ProbeRequest.of(
        _PROMPT,
        use_case=orchestrator.config.settings.default_use_case,
        model=deployment,
        max_tokens=_MAX_TOKENS,
        tenant=TENANT,
        cache=CacheUse.OFF,
    )


def _judged(tier: ProviderTier, reply: ChatReply) -> Iterator[Check]:
    last = reply.attempts[-1]
    tries = f" after {len(reply.attempts)} attempts" if len(reply.attempts) > 1 else ""
    yield passed(tier.name, "prompt", f"{reply.model} answered{tries}, {format_usd(reply.cost_nusd)}")
    counted = last.usage.input_tokens > 0 and (last.usage.output_tokens > 0 or not reply.text)
    if last.usage.estimated or not counted:
        yield failed(
            tier.name,
            "format",
            "the answer says not how many tokens it took",
            todo="its costs are estimated; ask the provider, or use another deployment",
        )
    else:
        counts = f"{last.usage.input_tokens} tokens in, {last.usage.output_tokens} out"
        detail = f"text, {counts}, cost by {last.cost_source}, ended by {reply.finish_reason}"
        yield passed(tier.name, "format", detail)
    yield passed(
        tier.name, "time", f"{last.latency_s:.2f} s of {tier.provider.timeout_s:g} s", took_s=last.latency_s
    )


async def _errors(tier: ProviderTier, orchestrator: Orchestrator) -> Check:
    """Ask for a model that does not exist; the right result is one clear error and no cost."""
    if tier.is_embedded:
        return skipped(tier.name, "errors", "it serves one model, whatever name it is asked for")
    try:
        reply = await orchestrator.acomplete(_probe(f"{tier.name}/{NO_SUCH_MODEL}", orchestrator))
    except RejectedByProviderError:
        return passed(tier.name, "errors", "an unknown model is refused cleanly (bad request)")
    except AllProvidersFailedError as error:
        if any(step.failure == FailureKind.MODEL_NOT_FOUND for step in error.steps):
            return passed(tier.name, "errors", "an unknown model is refused cleanly (not found)")
        reasons = sorted({step.reason for step in error.steps})
        detail = f"an unknown model ended in: {', '.join(reasons)}"
        return failed(tier.name, "errors", detail, todo="the provider may be ill; try again")
    except OrchestratorError as error:
        return failed(
            tier.name, "errors", f"{type(error).__name__}: {error.in_one_line}", todo="mend this first"
        )
    outcome = reply.attempts[-1].outcome if reply.attempts else Outcome.SUCCEEDED
    return failed(
        tier.name,
        "errors",
        f"a model that does not exist was answered ({outcome}): it serves any name",
        todo="look what stands behind base_url: it hides misspelt models",
    )
