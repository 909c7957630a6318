"""What a dispatch remembers things in: the state of this process, shared by all requests."""

from dataclasses import dataclass, field

from orchestrator.core.clock import Chance, Clock, SystemChance
from orchestrator.ledger.ledger import Ledger
from orchestrator.resilience.health import Health
from orchestrator.resilience.rate_limiter import RateLimiter
from orchestrator.resilience.retry_budget import RetryBudget
from orchestrator.routing.token_ratios import TokenRatios


@dataclass(frozen=True, slots=True)
class Services:
    """What a dispatch remembers things in."""

    ledger: Ledger
    health: Health
    rate_limiter: RateLimiter
    token_ratios: TokenRatios
    clock: Clock
    retry_budget: RetryBudget = field(default_factory=RetryBudget)
    chance: Chance = field(default_factory=SystemChance)
