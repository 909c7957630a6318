"""A transport for what is planned and never sent."""

from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.provider_answer import AttemptFailedError, ProviderAnswer
from orchestrator.dispatch.transport import AttemptSource


class NoWayOut:
    """Sends nothing."""

    @property
    def is_ready(self) -> bool:
        """Return True: there is nothing to load."""
        return True

    async def get_ready(self) -> None:
        """Do nothing: there is nothing to load."""

    async def send(self, source: AttemptSource) -> ProviderAnswer | None:  # noqa: ARG002 -- as every transport
        """Refuse to send.

        Raises:
            AttemptFailedError: always.
        """
        raise AttemptFailedError(Failure(FailureKind.NOT_SENT))
