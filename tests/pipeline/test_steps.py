"""The order of the steps is the promise that each of them makes of the others."""

import ast
from pathlib import Path

from orchestrator import client
from orchestrator.pipeline.caching import Caching
from orchestrator.pipeline.concurrency import Concurrency
from orchestrator.pipeline.dispatching import Dispatching
from orchestrator.pipeline.graceful import Graceful
from orchestrator.pipeline.idempotency import Idempotency
from orchestrator.pipeline.planning import Planning
from orchestrator.pipeline.recording import Recording
from orchestrator.pipeline.shadowing import Shadowing
from orchestrator.pipeline.steps import build

ORDER = (Graceful, Idempotency, Caching, Shadowing, Recording, Concurrency, Planning, Dispatching)
CLIENT_LINES_MAX = 250


def test_a_call_passes_the_steps_in_this_order(bench) -> None:
    passed = []
    step = build(bench.services)
    while step is not None:
        passed.append(type(step))
        step = getattr(step, "_following", None)
    assert tuple(passed) == ORDER


def test_the_client_is_short_and_knows_no_step() -> None:
    text = Path(client.__file__).read_text(encoding="utf-8")
    names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    assert names.isdisjoint(step.__name__ for step in ORDER)
    assert len(text.splitlines()) <= CLIENT_LINES_MAX
