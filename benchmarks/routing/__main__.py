"""What choosing is worth: four kinds of work, every policy beside the best single model, all calls paid.

    python -m benchmarks.routing [--data FOLDER]                      the table, the whole product, the time
    python -m benchmarks.routing decide --data FOLDER [--calibrate FOLDER]      decisions as JSON lines

A folder holds recorded outcomes (`benchmarks.routing.recorded`), which are no part of this project. Each
quarter of the prompts is decided by what was chosen on the other three. Returns 0 whatever the numbers are.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.routing import baselines
from benchmarks.routing.choosing import choose, cross_fitted
from benchmarks.routing.decide import decided_lines
from benchmarks.routing.end_to_end import tell_product
from benchmarks.routing.measure import Measured, measured
from benchmarks.routing.plan_time import tell_plan_time
from benchmarks.routing.pools import Floats, Pool
from benchmarks.routing.recorded import FILES, Prompt, is_there, load
from benchmarks.routing.replay import Decided, decisions, outcome

OURS = "ours"
NUMBERS = ("gem_svamp", "gem_mawpsmultiarith")
FOUR = ("gpt-4-1106-preview", "gpt-3.5-turbo", "gpt-3.5-turbo-0125", "gemini-1.0-pro", "mixtral-8x7b")
"""The four models of the requirements, by the names under which they were recorded."""
AIMS: dict[str, tuple[float, float, bool]] = {
    "tools": (0.25, -1.0, True),
    "numbers": (0.31, 0.5, False),
    "content": (1.0, -0.5, True),
    "mixed": (0.65, -0.5, True),
}
"""The most cost, the least points of quality, and whether those are the lower end of the interval."""

Rule = Callable[[Pool, Pool], list[Decided]]
"""Decides a pool by what is known of another one."""
RULES: dict[str, Rule] = {
    "use-case table": lambda pool, _: decisions(_table(pool), pool),
    "40/30/20/10 score": lambda pool, known: decisions(baselines.by_score(pool, known), pool),
    "cheapest": lambda pool, _: decisions(baselines.cheapest(pool), pool),
    "learned router": baselines.learned,
    OURS: lambda pool, known: decisions(choose(known), pool),
}


def main() -> int:
    """Measure and print, or print decisions."""
    parser = argparse.ArgumentParser(description="quality and cost of choosing models, on recorded outcomes")
    parser.add_argument("what", nargs="?", choices=("measure", "decide"), default="measure")
    parser.add_argument("--data", type=Path, default=Path("data/routing"))
    parser.add_argument("--calibrate", type=Path, help="choose on the records of this folder")
    parser.add_argument("--requests", type=int, default=2000, help="through the whole product")
    options = parser.parse_args()
    for folder in filter(None, (options.data, options.calibrate)):
        if not is_there(folder):
            print(f"no recorded outcomes in {folder} ({', '.join(FILES)}); name another folder with --data")
            return 0
    if options.what == "decide":
        for line in decided_lines(options.data, calibrate=options.calibrate):
            sys.stdout.write(f"{line}\n")
        return 0
    prompts = load(options.data)
    _tell_pools(prompts)
    tell_product(prompts, requests=options.requests)
    tell_plan_time()
    return 0


def _tell_pools(prompts: Sequence[Prompt]) -> None:
    pools = {
        "tools": [Pool.of("tools", _of(prompts, "bfcl"))],
        "numbers": [Pool.of("numbers", _of(prompts, *NUMBERS))],
        "content": [Pool.of("content", _of(prompts, "alpacaeval2cot"))],
    }
    pools["mixed"] = [_of_four(pool) for (pool,) in pools.values()]
    for name, kinds in pools.items():
        parts = [pool for pool in kinds if pool.prompts]
        if not parts:
            print(f"\n{name}: none of it is recorded here")
            continue
        reference = _reference(parts)
        print(f"\n{name}: beside {reference}")
        for rule, decide in RULES.items():
            made = measured(_together(parts, decide), _alone(parts, reference))
            print(f"  {rule:18s} {made}{_verdict(name, made) if rule == OURS else ''}")


def _of(prompts: Sequence[Prompt], *benchmarks: str) -> list[Prompt]:
    return [prompt for prompt in prompts if prompt.benchmark in benchmarks]


def _of_four(pool: Pool) -> Pool:
    return Pool.of(pool.name, pool.prompts, [model for model in FOUR if model in pool.models])


def _table(pool: Pool) -> str:
    written = baselines.TABLE[pool.name]
    return written if written in pool.models else pool.best


def _reference(pools: Sequence[Pool]) -> str:
    shared = set.intersection(*(set(pool.models) for pool in pools))
    return max(shared, key=lambda model: sum(pool.scores[model].sum() for pool in pools))


def _alone(pools: Sequence[Pool], model: str) -> tuple[Floats, Floats]:
    return (
        np.concatenate([pool.scores[model] for pool in pools]),
        np.concatenate([pool.costs[model] for pool in pools]),
    )


def _together(pools: Sequence[Pool], decide: Rule) -> tuple[Floats, Floats]:
    """Return the outcome over all pools; each quarter is decided by what the others tell."""
    columns: list[tuple[Floats, Floats]] = []
    for pool in pools:
        quality, cost = np.zeros(len(pool.prompts)), np.zeros(len(pool.prompts))
        for places, others in cross_fitted(pool):
            part = pool.part(places)
            quality[places], cost[places] = outcome(decide(part, others), part)
        columns.append((quality, cost))
    return np.concatenate([quality for quality, _ in columns]), np.concatenate([cost for _, cost in columns])


def _verdict(name: str, made: Measured) -> str:
    most, least, is_low = AIMS[name]
    points = made.points_low if is_low else made.points
    met = made.cost <= most + 1e-9 and points >= least
    what = "lower end" if is_low else "quality"
    return f"\n  {'':18s} aim: cost at most {most}, {what} at least {least:+}: {'met' if met else 'MISSED'}"


if __name__ == "__main__":
    sys.exit(main())
