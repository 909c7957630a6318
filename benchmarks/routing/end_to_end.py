"""The whole product on recorded work: providers replay what models answered, and the ledger is compared.

Every request passes the orchestrator's own way: plan, holds, votes, judge, books. The providers report the
tokens that were recorded, and the ledger must equal the cost of the same decisions, to the nano-dollar.
"""

import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from benchmarks.routing.choosing import choose, parts_of
from benchmarks.routing.measure import saved_between
from benchmarks.routing.pools import NUMBERS as COMPARE
from benchmarks.routing.pools import Pool, vendor_of
from benchmarks.routing.recorded import Prompt, answer_of
from benchmarks.routing.replay import decisions
from orchestrator import Orchestrator
from orchestrator.config.loader import load_config
from orchestrator.core.clock import SystemClock
from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.dispatch.transport import AttemptSource
from orchestrator.ledger.budgets import Window
from orchestrator.policies.agreement import Order

_NUMBERS = ("gem_svamp", "gem_mawpsmultiarith")
_USD_PER_MTOK = {
    "gpt-4-1106-preview": (10.0, 30.0),
    "gpt-3.5-turbo": (1.0, 2.0),
    "gemini-1.0-pro": (0.5, 1.5),
    "mixtral-8x7b": (0.6, 0.6),
}


class Recorded:
    """A way out that answers with what was recorded for the prompt and the model."""

    is_ready = True

    def __init__(self, prompts: Sequence[Prompt]) -> None:
        """Keep the prompts by their text."""
        self._by_text = {prompt.text: prompt for prompt in prompts}

    async def get_ready(self) -> None:
        """Do nothing."""

    async def send(self, source: AttemptSource) -> ProviderAnswer | None:
        """Return the recorded answer, with the recorded tokens."""
        attempt = source.current
        assert attempt is not None
        attempt.start()
        attempt.mark_sent()
        text = attempt.outbound().messages[-1]["content"]
        answer = answer_of(self._by_text[text], attempt.target.deployment.model_name)
        if answer is None:
            raise AssertionError(f"no answer of {attempt.name} was recorded")
        return answer


def tell_product(prompts: Sequence[Prompt], *, requests: int) -> None:
    """Route so many requests of number work, and print what the ledger says beside the same decisions."""
    pool = Pool.of("numbers", [p for p in prompts if p.benchmark in _NUMBERS], list(_USD_PER_MTOK))
    if not pool.prompts:
        print("\nwhole product: no number work is recorded here")
        return
    first, second = parts_of(pool, parts=2)
    policy = choose(pool.part(first))
    part = pool.part(second)
    if not isinstance(policy, Order):
        print(f"\nwhole product: nothing but {policy} was worth choosing")
        return
    expected = decisions(policy, part)
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "config.yaml"
        path.write_bytes(orjson.dumps(_config(policy, pool.models, home)))
        config = load_config(path, today=datetime.now(UTC).date(), environment={})
        with Orchestrator(config, transport=Recorded(part.prompts)) as orchestrator:
            _run(orchestrator, part, expected, requests=requests, judge=policy.judge)


def _run(
    orchestrator: Orchestrator, part: Pool, expected: Sequence[Any], *, requests: int, judge: str
) -> None:
    clock = SystemClock()
    began_s, wrong = clock.monotonic_s(), 0
    spent_nusd, alone_nusd = np.zeros(requests), np.zeros(requests)
    for at in range(requests):
        place = at % len(part.prompts)
        prompt, decided = part.prompts[place], expected[place]
        reply = orchestrator.complete(prompt.text, use_case="numbers", cache="off")
        wrong += reply.model != decided.answer or len(reply.attempts) != len(decided.calls)
        spent_nusd[at] = sum(_cost_nusd(prompt, model) for model in decided.calls)
        alone_nusd[at] = _cost_nusd(prompt, judge)
    took_s = clock.monotonic_s() - began_s
    booked, spent = _booked(orchestrator), int(spent_nusd.sum())
    # A prompt that was sent twice tells nothing new.
    distinct = len(part.prompts)
    low, high = saved_between(spent_nusd[:distinct], alone_nusd[:distinct])
    print(
        f"\nwhole product: {requests:,} requests in {took_s:.0f} s, {wrong} decided otherwise than the table\n"
        f"  ledger {booked:,} nano-dollars, the same decisions {spent:,}: difference {booked - spent}\n"
        f"  saved beside {judge} alone, from the ledger: {1 - booked / alone_nusd.sum():.1%} "
        f"[{low:.1%}, {high:.1%}], {min(requests, len(part.prompts)):,} prompts"
    )


def _booked(orchestrator: Orchestrator) -> int:
    """Return what the ledger has booked this month."""
    return next(
        int(status.spent)
        for status in orchestrator.standings()
        if status.scope == "all" and status.window is Window.MONTH
    )


def _cost_nusd(prompt: Prompt, model: str) -> int:
    outcome = prompt.outcomes[model]
    tokens_in, tokens_out = (round(1_000 * usd) for usd in _USD_PER_MTOK[model])
    return outcome.input_tokens * tokens_in + outcome.output_tokens * tokens_out


def _config(policy: Order, models: Sequence[str], home: str) -> Mapping[str, Any]:
    """Return a configuration of the recorded models at the prices of their time."""
    quality = {"numbers": 0.5}
    agreement = {
        "voters": list(policy.voters),
        "tie_breakers": list(policy.tie_breakers),
        "judge": policy.judge,
        "compare": orjson.loads(COMPARE.model_dump_json(exclude_defaults=True)),
    }
    price = {"source": "recorded", "date": "2024-08-01"}
    return {
        "version": 1,
        "currency": "USD",
        "providers": {
            "recorded": {
                "kind": "openai",
                "api_key": "recorded",
                "base_url": "http://127.0.0.1:9",
                "priority": 1,
                "requests_per_min": 1_000_000,
                "tokens_per_min": 1_000_000_000,
            }
        },
        "models": {
            model: {
                "vendor": vendor_of(model),
                "tier": "premium" if model == policy.judge else "cheap",
                "context_tokens": 128_000,
                "max_output_tokens": 4_096,
                "capabilities": ["streaming"],
                "languages": ["en"],
                "quality": quality,
                "quality_source": "recorded",
                "speed_tokens_per_s": 50,
            }
            for model in models
        },
        "deployments": {
            model: {
                "provider": "recorded",
                "model": model,
                "upstream": model,
                "price": {"input": _USD_PER_MTOK[model][0], "output": _USD_PER_MTOK[model][1], **price},
            }
            for model in models
        },
        "use_cases": {
            "numbers": {
                "primary": {"deployment": policy.judge, "reason": "the best single model"},
                "policy": {"version": "benchmark", "agreement": agreement},
            }
        },
        "default_use_case": "numbers",
        "retry_profiles": {
            "interactive": {
                "deadline_s": 600,
                "attempts_per_deployment": 1,
                "retry_delays_s": [0],
                "fallback_delays_s": [0],
            }
        },
        "ledger": {"path": str(Path(home) / "ledger.sqlite")},
        "cache": {"enabled": False},
        "budgets": {"limits": [{"scope": "all", "month": 1000}]},
    }
