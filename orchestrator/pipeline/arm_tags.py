"""What the row of a request says of its experiment: the side, and whether the answer passes the checks."""

from orchestrator.core.errors import OverloadedError, UnavailableError
from orchestrator.core.reply import ChatReply
from orchestrator.pipeline.arms import experiment_of
from orchestrator.pipeline.call import Call
from orchestrator.policies.checks import why_text_failed


def arm_tags(call: Call, reply: ChatReply | None, error: BaseException | None) -> tuple[str, ...]:
    """Return the tags of a row, none where its request is on no side.

    A request that no model could answer has failed the checks; of one that was refused or left nothing is
    known.
    """
    if call.arm is None:
        return ()
    experiment = experiment_of(call.snapshot.config, call.arm)
    checks = () if experiment is None else experiment.settings.checks
    if not checks:
        return call.arm.tags(passed=None)
    if reply is not None:
        return call.arm.tags(
            passed=why_text_failed(reply.text, checks, messages=call.request.messages) is None
        )
    is_failure = isinstance(error, UnavailableError) and not isinstance(error, OverloadedError)
    return call.arm.tags(passed=False if is_failure else None)
