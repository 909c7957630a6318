"""The benchmark of choosing: it reads records of any folder, pays every call, and never looks at an answer key."""

import sys
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.routing.decide import decided_lines
from benchmarks.routing.measure import saved_between
from benchmarks.routing.pools import Pool
from benchmarks.routing.recorded import load
from benchmarks.routing.replay import Decided, decisions, outcome
from orchestrator.policies.agreement import Order

MODELS = {"gpt-strong": (0.95, 0.010), "claude-cheap": (0.9, 0.0005), "gemini-cheap": (0.9, 0.0004)}


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder of 120 prompts: the cheap models are right nine times of ten, and err in their own ways."""
    prompts, outcomes, responses = [], [], []
    for number in range(120):
        name = f"p{number}"
        prompts.append((name, "gem_svamp", "math", "secret", "en", f"What is {number} + 1?", "dev"))
        for at, (model, (_, cost)) in enumerate(MODELS.items()):
            right = number % 20 != at if model == "gpt-strong" else number % 10 != at
            value = number + 1 if right else 5000 + 7 * at + number
            outcomes.append((name, model, float(right), 10, 5, cost))
            responses.append((name, model, f"The answer is {value}."))
    columns = ["prompt_id", "benchmark", "task", "source_task", "lang", "prompt", "split"]
    pd.DataFrame(prompts, columns=columns).to_parquet(tmp_path / "prompts.parquet")
    columns = ["prompt_id", "model", "score", "input_tokens", "output_tokens", "cost_usd"]
    pd.DataFrame(outcomes, columns=columns).to_parquet(tmp_path / "outcomes.parquet")
    columns = ["prompt_id", "model", "response"]
    pd.DataFrame(responses, columns=columns).to_parquet(tmp_path / "responses.parquet")
    return tmp_path


def test_agreement_pays_every_call_and_answers_with_a_called_model(folder):
    pool = Pool.of("numbers", load(folder))
    made = decisions(Order(("claude-cheap", "gemini-cheap"), (), "gpt-strong"), pool)
    quality, cost = outcome(made, pool)
    assert made[1] == Decided(("claude-cheap", "gemini-cheap", "gpt-strong"), "gpt-strong")
    assert cost[3] == pytest.approx(0.0009)
    assert cost[1] == pytest.approx(0.0109)
    assert quality.mean() == 1.0


def test_decisions_name_every_prompt_and_never_read_the_answer_key(folder):
    lines = [orjson.loads(line) for line in decided_lines(folder)]
    assert {line["prompt_id"] for line in lines} == {f"p{number}" for number in range(120)}
    assert all(line["answer"] in line["calls"] for line in lines)
    # Without the benchmark's own category the decisions are the same.
    prompts = pd.read_parquet(folder / "prompts.parquet").drop(columns="source_task")
    prompts.to_parquet(folder / "prompts.parquet")
    assert [orjson.loads(line) for line in decided_lines(folder)] == lines


def test_what_was_chosen_in_one_folder_decides_another(folder):
    assert list(decided_lines(folder, calibrate=folder))


def test_what_is_saved_is_drawn_in_pairs_and_less_sure_where_prompts_differ():
    """Prompts of very different cost say nothing uncertain where each of them saves the same share."""
    alone = np.array([1.0, 10.0, 1_000.0] * 20)
    low, high = saved_between(0.3 * alone, alone)
    assert low == pytest.approx(high) == pytest.approx(0.7)
    low, high = saved_between(np.array([0.1, 0.5, 0.3] * 20), np.ones(60))
    assert low < 0.7 < high
