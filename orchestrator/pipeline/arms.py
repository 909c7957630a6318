"""On which side of an experiment a request is, and what is said of that."""

from datetime import datetime
from zoneinfo import ZoneInfo

from orchestrator.config.loader import Config
from orchestrator.core.arms import Arm, ArmKind
from orchestrator.core.embedding import EmbeddingRequest
from orchestrator.core.payer import Payer, is_own
from orchestrator.core.request import ChatRequest
from orchestrator.experiments.experiment import Experiment


def arm_of(
    config: Config, request: ChatRequest, payer: Payer, request_id: str, *, moment: datetime
) -> Arm | None:
    """Return the side that a request is on, None where no experiment is for it.

    None is for a request that names a model, for embeddings, and for our own looks at providers.
    """
    if not config.experiments or request.model is not None or isinstance(request, EmbeddingRequest):
        return None
    if is_own(payer.tenant):
        return None
    today = moment.astimezone(ZoneInfo(config.settings.budgets.time_zone)).date()
    for experiment in config.experiments:
        if experiment.settings.use_case == payer.use_case:
            arm = experiment.arm_of(tenant=payer.tenant, user=payer.user, request_id=request_id, today=today)
            if arm is not None:
                return arm
    return None


def experiment_of(config: Config, arm: Arm) -> Experiment | None:
    """Return the experiment of an arm in a configuration."""
    return next((each for each in config.experiments if each.label == arm.label), None)


def arm_notices(arm: Arm | None) -> tuple[str, ...]:
    """Return what a plan and a reply say of the side that they are on; of shadows nothing."""
    is_silent = arm is None or arm.is_shadowed or arm.kind is ArmKind.SHADOW
    return () if arm is None or is_silent else (arm.text,)
