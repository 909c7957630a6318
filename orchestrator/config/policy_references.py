"""Whether the deployments of a policy exist, come from different vendors, and have room in a plan."""

from collections.abc import Iterator

from orchestrator.config.schema import RootSettings
from orchestrator.config.unknown_names import unknown
from orchestrator.config.yaml_file import Document


def broken_policy(document: Document, settings: RootSettings, key: str) -> Iterator[str]:
    """Yield a line for each mistake of the policy of one use case that its types cannot see."""
    policy = settings.use_cases[key].policy
    if policy is None:
        return
    path = ("use_cases", key, "policy", policy.kind)
    missing = [name for name in policy.named if name not in settings.deployments]
    for name in missing:
        yield f"{document.where(path)}: {unknown('deployment', name, settings.deployments)}"
    most = settings.routing.max_candidates
    if len(policy.named) > most:
        yield (
            f"{document.where(path)}: the policy names {len(policy.named)} deployments, and a plan holds "
            f"{most} at most: name fewer, or raise routing.max_candidates"
        )
    if policy.agreement is not None and not missing:
        yield from _one_vendor(document, settings, key)


def _one_vendor(document: Document, settings: RootSettings, key: str) -> Iterator[str]:
    """Yield the votes that repeat a vendor: two models of one vendor share their mistakes."""
    policy = settings.use_cases[key].policy
    agreement = policy.agreement if policy is not None else None
    if agreement is None:
        return
    seen: dict[str, str] = {}
    for part in ("voters", "tie_breakers"):
        for place, name in enumerate(getattr(agreement, part)):
            model = settings.models.get(settings.deployments[name].model)
            if model is None:
                continue
            first = seen.setdefault(model.vendor, name)
            if first != name:
                where = document.where(("use_cases", key, "policy", "agreement", part, place))
                yield (
                    f"{where}: '{name}' is of vendor {model.vendor}, like '{first}': two models of one vendor "
                    "share their mistakes, so take one of another vendor"
                )
