"""The error of a message that was not taken."""

from orchestrator.core.errors import OrchestratorError


class UndeliveredError(OrchestratorError):
    """A channel did not take a message; the words hold no address and no secret."""

    def __init__(self, reason: str, *, may_retry: bool = True, wait_s: float = 0.0) -> None:
        """Keep whether it may be taken later, and after how many seconds at the earliest."""
        self.may_retry = may_retry
        self.wait_s = wait_s
        super().__init__(reason)
