"""Synthetic traffic in a real ledger file: clean, or with one waste of each kind in it."""

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from orchestrator.catalog.commitments import CommitmentSettings
from orchestrator.config.measured_policies import MeasuredPolicy, Proof
from orchestrator.core.money import NanoUsd
from orchestrator.core.payer import Payer
from orchestrator.core.reply import Attempt, CacheState, CostSource, Outcome, Usage
from orchestrator.ledger.budgets import BudgetSettings, Limits
from orchestrator.ledger.ledger import HoldRequest, Ledger, RequestRecord
from orchestrator.ledger.opening import LedgerSettings, open_ledger
from orchestrator.ledger.prompt_prints import PromptPrint
from orchestrator.ledger.records import new_operation_id
from orchestrator.reports.idle_commitments import Committed
from orchestrator.reports.prompt_waste import PromptPrice, PromptTerms
from orchestrator.reports.recommendations import ConfiguredLimits

TODAY = date(2026, 11, 23)
DEPLOYMENTS = ("openrouter/gpt-6.1-sol", "google/gemini-3.8-flash", "openai/gpt-6-luna")
TENANTS = ("acme", "beta", "Hà Nội")
USE_CASES = ("customer_service", "content_generation", "data_analysis")
LIMITS = dict.fromkeys(USE_CASES, 800)
PROVIDERS = tuple(dict.fromkeys(name.partition("/")[0] for name in DEPLOYMENTS))
SUBJECTS = {
    "paid_failures": DEPLOYMENTS,
    "refusing_limit": TENANTS,
    "unused_max_tokens": USE_CASES,
    "repeated_prompts": USE_CASES,
    "common_prefixes": tuple(f"{use_case}, {name}" for use_case in USE_CASES for name in DEPLOYMENTS),
    "batch_price": USE_CASES,
    "idle_commitment": PROVIDERS,
    "cheaper_model": USE_CASES,
}
"""What each kind of waste may be planted in."""
LONG_BYTES, LONG_TOKENS = 12_288, 3_600
PRICE = PromptPrice(discount_nusd_per_mtok=300_000_000, batch_points=5_000)


def configured(wastes: frozenset[tuple[str, str]], *, cache_ttl_s: float = 3600) -> ConfiguredLimits:
    """Return what config.yaml says beside the traffic: every provider has a commitment, a planted one too large."""
    return ConfiguredLimits(
        LIMITS,
        ("all", "tenant:*"),
        PromptTerms(dict.fromkeys(USE_CASES, cache_ttl_s), dict.fromkeys(DEPLOYMENTS, PRICE)),
        Committed(
            tuple(
                CommitmentSettings.model_validate({
                    "provider": name, "since": "2026-01-01", "until": "2027-12-31",
                    "usd_per_month": 1 if ("idle_commitment", name) in wastes else 0.2,
                })
                for name in PROVIDERS
            ),
            tuple(str(TODAY - timedelta(days=back)) for back in range(13, 0, -1)),
        ),
        tuple(measured(name, is_waste=("cheaper_model", name) in wastes) for name in USE_CASES),
    )  # fmt: skip


def measured(use_case: str, *, is_waste: bool) -> MeasuredPolicy:
    """Return a measurement of a policy: as good for less, or else worse, dearer, or of what nobody asks."""
    low, share, reference = {
        True: (-0.005, 0.4, DEPLOYMENTS[0]),
        USE_CASES[0]: (-0.03, 0.4, DEPLOYMENTS[0]),
        USE_CASES[1]: (-0.005, 1.2, DEPLOYMENTS[0]),
        USE_CASES[2]: (-0.005, 0.4, "openai/of-nobody"),
    }[is_waste or use_case]
    return MeasuredPolicy(
        use_case,
        f"policies/{use_case}.json",
        Proof.model_validate({
            "day": "2026-11-20", "reference": reference, "margin": 0.01, "rows": 600, "confirmed_on": 400,
            "difference": {"mean": 0.001, "low": low, "high": 0.01}, "cost_share": share, "conditions": {},
        }),
    )  # fmt: skip


@dataclass
class PlantedClock:
    """A clock that is put to the moment of each request."""

    moment: datetime = datetime(2026, 11, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def monotonic_s(self) -> float:
        return 0.0

    async def sleep(self, duration_s: float) -> None:
        """Return at once."""

    def pause(self, duration_s: float) -> None:
        """Return at once."""


@dataclass
class Traffic:
    """Writes requests of some days; `wastes` are (kind, subject) pairs that are planted in it."""

    path: Path
    seed: int
    wastes: frozenset[tuple[str, str]] = frozenset()
    days: int = 14
    a_day: int = 60
    clock: PlantedClock = field(default_factory=PlantedClock)

    def write(self) -> None:
        """Fill the ledger through its own verbs."""
        chance = random.Random(self.seed)  # noqa: S311 -- invented traffic
        limits = Limits(BudgetSettings.model_validate({"time_zone": "UTC"}))
        ledger = open_ledger(LedgerSettings(path=str(self.path)), limits=limits, clock=self.clock)
        for back in range(self.days - 1, -1, -1):
            for number in range(self.a_day):
                day = TODAY - timedelta(days=back)
                self.clock.moment = datetime(day.year, day.month, day.day, 1 + number % 2, 5, tzinfo=UTC)
                self._request(ledger, chance)
        ledger.close()

    def _request(self, ledger: Ledger, chance: random.Random) -> None:
        payer = Payer(
            chance.choice(TENANTS),
            chance.choice(USE_CASES),
            user=chance.choice((None, "u1", "u2")),
            tags=tuple(chance.sample(("sale", "vip"), chance.randrange(3))),
        )
        identity, latency_s = new_operation_id(self.clock.moment), chance.uniform(0.2, 3)
        refusing = ("refusing_limit", payer.tenant) in self.wastes
        if chance.random() < (0.15 if refusing else 0.001):
            self._record(ledger, identity, payer, (), Outcome.REFUSED, latency_s)
        elif chance.random() < 0.1:
            self._record(ledger, identity, payer, (), Outcome.SUCCEEDED, latency_s, CacheState.HIT)
        else:
            is_long = chance.random() < 0.7
            sends = self._sends(ledger, identity, payer, is_long, chance)
            prompt = self._prompt(payer, sends[-1].deployment, is_long, chance)
            self._record(ledger, identity, payer, sends, sends[-1].outcome, latency_s, prompt=prompt)

    def _sends(
        self, ledger: Ledger, identity: str, payer: Payer, is_long: bool, chance: random.Random
    ) -> tuple[Attempt, ...]:
        sends: list[Attempt] = []
        for number in (1, 2):
            deployment = chance.choice(DEPLOYMENTS)
            failing = ("paid_failures", deployment) in self.wastes
            fails = number == 1 and chance.random() < (0.3 if failing else 0.01)
            tokens = LONG_TOKENS if is_long else chance.randrange(50, 900)
            key = (identity, number, deployment)
            sends.append(self._send(ledger, key, payer, tokens, fails, failing, chance))
            if not fails:
                break
        return tuple(sends)

    def _prompt(self, payer: Payer, deployment: str, is_long: bool, chance: random.Random) -> PromptPrint:
        whole, beginning = chance.randbytes(8), chance.randbytes(8)
        if ("repeated_prompts", payer.use_case) in self.wastes and chance.random() < 0.6:
            whole = b"%d" % chance.randrange(2)
        if ("common_prefixes", f"{payer.use_case}, {deployment}") in self.wastes:
            beginning = b"common"
        waits = ("batch_price", payer.use_case) in self.wastes or chance.random() < 0.01
        return PromptPrint(
            payer.use_case.encode() + whole,
            (beginning,) if is_long else (),
            LONG_BYTES if is_long else 0,
            waits,
        )

    def _send(self, ledger, key, payer, tokens, fails, failing, chance) -> Attempt:
        identity, number, deployment = key
        provider, model = deployment.split("/")
        short = ("unused_max_tokens", payer.use_case) in self.wastes
        outputs = 0 if fails else chance.randrange(10, 80 if short else 700)
        cost = chance.randrange(10_000, 900_000) if not fails or failing else 0
        hold = ledger.hold(
            HoldRequest(
                identity, number, deployment, provider, model, payer.scopes(provider), NanoUsd(2_000_000), "p"
            )
        )
        attempt = Attempt(
            number, deployment, provider, model, Outcome.FAILED if fails else Outcome.SUCCEEDED,
            failure="timeout" if fails else None, latency_s=chance.uniform(0.1, 2),
            first_token_s=chance.choice((None, 0.05, 0.2)),
            usage=Usage(tokens, outputs, chance.randrange(50)), cost_nusd=NanoUsd(cost),
            cost_source=CostSource.PRICE_BOOK if cost else CostSource.NONE,
        )  # fmt: skip
        ledger.settle(hold, attempt)
        return attempt

    def _record(
        self, ledger, identity, payer, sends, outcome, latency_s, cached=CacheState.MISS, *, prompt=None
    ) -> None:
        last = sends[-1] if sends else None
        ledger.record_request(
            RequestRecord(
                id=identity, started_at=self.clock.moment, tenant=payer.tenant, use_case=payer.use_case,
                user=payer.user, tags=payer.tags, outcome=outcome,
                error="BudgetExceededError" if outcome is Outcome.REFUSED else None, cached=cached,
                degraded=None, deployment=last and last.deployment, provider=last and last.provider,
                model=last and last.model, attempts=len(sends), usage=Usage(),
                cost_nusd=NanoUsd(sum(send.cost_nusd for send in sends)), latency_s=latency_s,
                prompt=prompt,
            )
        )  # fmt: skip
