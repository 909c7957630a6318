"""The stock `openai` package of npm, as examples/node_client uses it, against a running server."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "node_client"
NODE = shutil.which("node")

pytestmark = [
    pytest.mark.skipif(NODE is None, reason="node is not here"),
    pytest.mark.skipif(
        not (EXAMPLE / "node_modules" / "openai").exists(),
        reason="the stock client is not here: run 'npm ci' in examples/node_client",
    ),
]


@pytest.fixture
def steps(running) -> dict[str, dict]:
    """What each step of the example printed."""
    environment = {"OPENAI_BASE_URL": f"{running.address}/v1", "OPENAI_API_KEY": running.make_key()}
    ran = subprocess.run(
        [NODE, "client.mjs"],
        cwd=EXAMPLE,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    running.wait_idle()
    return {step.pop("step"): step for step in map(json.loads, ran.stdout.splitlines())}


def test_the_stock_client_of_npm_does_all_that_the_example_shows_and_reads_every_error(steps):
    assert {"customer_service", "openai/gpt-6-luna"} <= set(steps["models"]["names"])
    chat = steps["chat"]
    assert chat["text"]
    assert chat["tokens"] > 0
    assert float(chat["cost_usd"]) == float(chat["header_cost_usd"]) > 0
    assert steps["same key again"] == {"id": chat["id"], "cache": "replayed"}
    stream = steps["stream"]
    assert (stream["finish"], bool(stream["text"])) == ("stop", True)
    assert stream["pieces"] > 2
    assert stream["tokens"] > 0
    assert steps["tools"]["name"] == steps["streamed tools"]["name"] == "find_order"
    assert isinstance(steps["tools"]["call"]["number"], str)
    assert isinstance(steps["structured"]["order"]["is_late"], bool)
    assert len(steps["embeddings"]["sizes"]) == 2
    assert {
        step: (facts["error"], facts["status"], facts["code"], facts["param"])
        for step, facts in steps.items()
        if "error" in facts
    } == {
        "unknown model": ("NotFoundError", 404, "model_not_found", "model"),
        "unknown field": ("BadRequestError", 400, "unknown_parameter", "temprature"),
        "wrong key": ("AuthenticationError", 401, "invalid_api_key", None),
        "no budget": ("APIError", 402, "budget_exceeded", None),
        "deadline": ("InternalServerError", 504, "deadline_exceeded", None),
    }
