"""Whether the deployments of a policy exist, come from different vendors, and have room in a plan."""

from collections.abc import Iterator

from orchestrator.config.schema import RootSettings
from orchestrator.config.yaml_file import Document
from orchestrator.config.yaml_template import Path_
from orchestrator.core.unknown_names import unknown
from orchestrator.policies.settings import AgreementSettings, PolicySettings


def broken_policy(
    document: Document, settings: RootSettings, policy: PolicySettings | None, path: Path_
) -> Iterator[str]:
    """Yield a line for each mistake of the policy at `path` that its types cannot see."""
    if policy is None:
        return
    where = document.where((*path, policy.kind))
    missing = [name for name in policy.named if name not in settings.deployments]
    for name in missing:
        yield f"{where}: {unknown('deployment', name, settings.deployments)}"
    most = settings.routing.max_candidates
    if len(policy.named) > most:
        yield (
            f"{where}: the policy names {len(policy.named)} deployments, and a plan holds "
            f"{most} at most: name fewer, or raise routing.max_candidates"
        )
    if policy.agreement is not None and not missing:
        yield from _one_vendor(document, settings, policy.agreement, path)


def _one_vendor(
    document: Document, settings: RootSettings, agreement: AgreementSettings, path: Path_
) -> Iterator[str]:
    """Yield the votes that repeat a vendor: two models of one vendor share their mistakes."""
    seen: dict[str, str] = {}
    for part in ("voters", "tie_breakers"):
        for place, name in enumerate(getattr(agreement, part)):
            model = settings.models.get(settings.deployments[name].model)
            if model is None:
                continue
            first = seen.setdefault(model.vendor, name)
            if first != name:
                where = document.where((*path, "agreement", part, place))
                yield (
                    f"{where}: '{name}' is of vendor {model.vendor}, like '{first}': two models of one vendor "
                    "share their mistakes, so take one of another vendor"
                )
