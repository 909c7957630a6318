"""Decisions for every prompt of a folder: who is called, and who answers, as JSON lines.

A kind of work that another folder has too is decided by a policy that was chosen there. Else each quarter of
its prompts is decided by a policy that was chosen on the other three. No prompt's own outcome is looked at.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from benchmarks.routing.choosing import choose, cross_fitted
from benchmarks.routing.pools import Pool, form_of
from benchmarks.routing.recorded import Prompt, load
from benchmarks.routing.replay import Policy, named, run

_TOGETHER = {"gem_svamp": "numbers", "gem_mawpsmultiarith": "numbers", "bfcl": "tools"}
"""Benchmarks of one kind of work; every other one is a kind of its own."""


def decided_lines(folder: Path, *, calibrate: Path | None = None) -> Iterator[str]:
    """Yield one line for each prompt: its id, every call, and the model whose answer counts."""
    prompts = load(folder)
    known = load(calibrate) if calibrate is not None else []
    for kind in dict.fromkeys(_kind_of(prompt) for prompt in prompts):
        rows = [prompt for prompt in prompts if _kind_of(prompt) == kind]
        other = [prompt for prompt in known if _kind_of(prompt) == kind]
        for prompt, policy in _with_policies(kind, rows, other):
            names = [name for name in named(policy) if name in prompt.outcomes]
            # What was not recorded cannot be called.
            is_whole = len(names) == len(named(policy))
            possible = policy if is_whole else (names or sorted(prompt.outcomes) or [""])[-1]
            if possible:
                made = run(possible, [form_of(prompt, name) for name in named(possible)])
                line = {"prompt_id": prompt.id, "calls": made.calls, "answer": made.answer}
                yield orjson.dumps(line).decode()


def _kind_of(prompt: Prompt) -> str:
    return _TOGETHER.get(prompt.benchmark, prompt.benchmark)


def _with_policies(
    kind: str, rows: Sequence[Prompt], known: Sequence[Prompt]
) -> Iterator[tuple[Prompt, Policy]]:
    pool = Pool.of(kind, rows)
    if known:
        shared = [model for model in Pool.of(kind, known).models if model in pool.models]
        if shared:
            policy = choose(Pool.of(kind, known, shared))
            yield from ((prompt, policy) for prompt in rows)
            return
    by_id: dict[str, Policy] = {}
    for places, others in cross_fitted(pool):
        policy = choose(others)
        by_id |= {pool.prompts[at].id: policy for at in places}
    yield from ((prompt, by_id.get(prompt.id, pool.best)) for prompt in rows)
