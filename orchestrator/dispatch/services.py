"""What a dispatch remembers things in: the state of this process, shared by all requests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from orchestrator.core.clock import Chance, Clock, SystemChance
from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.ledger.ledger import Ledger
from orchestrator.resilience.health import Health
from orchestrator.resilience.rate_limiter import RateLimiter
from orchestrator.resilience.retry_budget import RetryBudget
from orchestrator.routing.token_ratios import TokenRatios

AnswerCheck = Callable[[ProviderAnswer], bool]
"""Whether an answer is good enough; called in a thread, and a call that raises or hangs is a no."""


@dataclass(frozen=True, slots=True)
class Services:
    """What a dispatch remembers things in."""

    ledger: Ledger
    health: Health
    rate_limiter: RateLimiter
    token_ratios: TokenRatios
    clock: Clock
    retry_budget: RetryBudget = field(default_factory=RetryBudget)
    checks: Mapping[str, AnswerCheck] = field(default_factory=dict)
    """Checks of the caller's own program, by the name that config.yaml gives them."""
    chance: Chance = field(default_factory=SystemChance)
