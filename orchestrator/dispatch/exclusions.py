"""What one dispatch has learned from its failures.

What is not worth asking any more, and what to tell the caller.
"""

from collections.abc import Sequence

from orchestrator.core.failures import Failure, FailureKind, FallbackScope
from orchestrator.dispatch.target import Target

_LOCAL_ADVICE = (
    "; nobody but the local model is there to be asked: 'orchestrator doctor' says whether its server runs, at "
    "local_model.base_url in config.yaml or on board, and has the model"
)


class Exclusions:
    """What the failures of one request say of the deployments that are still to be asked."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._context_failed_tokens = 0
        self._filtered_models: set[str] = set()
        self._keys_never_accepted: list[str] = []

    def learn(self, target: Target, failure: Failure, *, has_worked: bool) -> None:
        """Take in one failure; `has_worked` says whether its provider ever answered this process."""
        elsewhere = failure.policy.fallback_scope
        if elsewhere is FallbackScope.LARGER_CONTEXT:
            failed_tokens = target.deployment.model.context_tokens
            self._context_failed_tokens = max(self._context_failed_tokens, failed_tokens)
        if elsewhere is FallbackScope.OTHER_MODEL:
            self._filtered_models.add(target.deployment.model_name)
        provider = target.deployment.provider_name
        new = provider not in self._keys_never_accepted
        if failure.kind is FailureKind.UNAUTHORIZED and not has_worked and new:
            self._keys_never_accepted.append(provider)

    def unfit(self, target: Target) -> str | None:
        """Return why a target would fail as another did, None when it may do better.

        Where the request fits at its bound, another's overflow says nothing: a host of OpenRouter's may serve
        less of a model than its maker does, a server less than config.yaml says, and a gateway's 413 counts
        bytes.
        """
        may_overflow = target.most_tokens > target.deployment.model.context_tokens
        if may_overflow and target.deployment.model.context_tokens <= self._context_failed_tokens:
            return "its context is not larger than one that was too small"
        if target.deployment.model_name in self._filtered_models:
            return "the content filter of the same model has blocked this request"
        return None

    def advice(self, targets: Sequence[Target]) -> str:
        """Return what to tell beside the reasons of the plan's targets; empty when there is nothing."""
        if not self._keys_never_accepted:
            only_local = targets and all(target.deployment.is_local for target in targets)
            return _LOCAL_ADVICE if only_local else ""
        keys = ", ".join(f"providers.{name}.api_key" for name in self._keys_never_accepted)
        return f"; no outage but the configuration: a key that never worked was refused, check {keys}"
