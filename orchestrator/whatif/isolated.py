"""A configuration for a replay: the same decisions, but no file, key or answer of the real one."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestrator.config.loader import Config, load_config
from orchestrator.experiments.experiment import Experiment
from orchestrator.experiments.settings import ExperimentMode
from orchestrator.ledger.record_settings import RecordMode, RecordSettings
from orchestrator.policies.normal_form import CompareBy, CompareSettings
from orchestrator.policies.settings import CheckSettings, PolicySettings
from orchestrator.whatif.world import RIGHT, wrong_answer_of

_KEY = "of-a-replay"


@dataclass(frozen=True, slots=True)
class KeyedConfig:
    """A configuration whose providers all have a key, and which of them have none here."""

    config: Config
    assumed_keys: tuple[str, ...]
    """Providers that were given one for the replay."""


def load_keyed(
    path: Path | None, *, today: date, environment: Mapping[str, str] | None = None
) -> KeyedConfig:
    """Load a configuration as the machine with the keys would see it; what sends nothing needs none.

    Raises:
        ConfigError: the file cannot be used.
    """
    known = dict(os.environ if environment is None else environment)
    config = load_config(path, today=today, environment=known)
    missing = {key.provider: key.remedy for key in config.catalog.keyless.values()}
    names = (name for remedy in missing.values() for name in remedy.split(" or ") if name.isidentifier())
    # Each its own: what hangs on one key is to be seen.
    variables = {name: f"{_KEY}-{name}" for name in names}
    if variables:
        config = load_config(path, today=today, environment={**known, **variables})
    return KeyedConfig(config, tuple(sorted(missing)))


@contextmanager
def isolated(config: Config) -> Iterator[Config]:
    """Lend a configuration with a new ledger and cache, whose policies compare what a replay answers."""
    with TemporaryDirectory(prefix="whatif-", ignore_cleanup_errors=True) as folder:
        settings = config.settings
        changed = settings.model_copy(
            update={
                "ledger": settings.ledger.model_copy(update={"path": f"{folder}/ledger.sqlite3"}),
                "cache": settings.cache.model_copy(update={"path": f"{folder}/cache"}),
                "idempotency": settings.idempotency.model_copy(update={"path": f"{folder}/idempotency"}),
                "record": RecordSettings(mode=RecordMode.OFF),
                "use_cases": {
                    name: use_case.model_copy(update={"policy": _without_answers(use_case.policy)})
                    for name, use_case in settings.use_cases.items()
                },
            }
        )
        yield replace(config, settings=changed, experiments=_replayed(config.experiments))


def _replayed(experiments: Iterable[Experiment]) -> tuple[Experiment, ...]:
    """Return the experiments whose candidates answer somebody; of shadows nobody knows in a replay."""
    return tuple(
        replace(
            each,
            settings=each.settings.model_copy(
                update={"candidate": _without_answers(each.settings.candidate), "checks": ()}
            ),
        )
        for each in experiments
        if each.settings.mode is ExperimentMode.AB or each.decision is not None
    )


def _without_answers(policy: PolicySettings | None) -> PolicySettings | None:
    """Return a policy that asks the same models, and accepts by what a replay answers."""
    if policy is not None and policy.agreement is not None:
        labels = (RIGHT, *(wrong_answer_of(name) for name in policy.named))
        compare = CompareSettings(by=CompareBy.LABEL, labels=labels)
        return policy.model_copy(
            update={"agreement": policy.agreement.model_copy(update={"compare": compare})}
        )
    if policy is not None and policy.escalate is not None:
        checks = (CheckSettings(labels=(RIGHT,)),)
        return policy.model_copy(update={"escalate": policy.escalate.model_copy(update={"checks": checks})})
    return policy
