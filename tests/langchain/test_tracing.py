"""Variables of the environment alone send no prompt to LangSmith; config.yaml may let them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.config.loader import embedded_path
from tests.support.redirecting import redirecting

PROGRAM = """
import sys
from datetime import UTC, datetime
from pathlib import Path

from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tracers.langchain import wait_for_all_tracers

from chains import CustomerQuestion, customer_service
from orchestrator import Orchestrator
from orchestrator.config.loader import load_config
from orchestrator.drill.practice_config import addresses
from orchestrator.practice import PracticeServer

path, home = sys.argv[1:]
with PracticeServer() as practice:
    environment = {"ORCHESTRATOR_HOME": home, **addresses(practice)}
    config = load_config(Path(path), today=datetime.now(UTC).date(), environment=environment)
    with Orchestrator(config) as orchestrator:
        prompt = ChatPromptTemplate.from_messages([("user", "{question}")])
        (prompt | orchestrator.chat_model("customer_service")).invoke({"question": "Xin chào"})
        orchestrator.native("openai/gpt-6-luna").invoke("Xin chào")
        orchestrator.native("google/gemini-3.8-flash").invoke("Xin chào")
        customer_service(orchestrator).invoke(CustomerQuestion(question="Đơn đâu?", facts=()))
    print(len(practice.requests))
wait_for_all_tracers()
"""


def run(tmp_path: Path, *, allowed: bool) -> tuple[int, list[str]]:
    """Return how many requests the providers got, and what LangSmith was sent."""
    path = tmp_path / "config.yaml"
    text = embedded_path().read_text(encoding="utf-8")
    assert "langsmith: false" in text
    path.write_text(text.replace("langsmith: false", f"langsmith: {json.dumps(allowed)}"), encoding="utf-8")
    with redirecting() as langsmith:
        variables = {
            "LANGSMITH_TRACING": "true",
            "LANGCHAIN_TRACING_V2": "true",
            "LANGSMITH_ENDPOINT": langsmith.url,
            "LANGCHAIN_ENDPOINT": langsmith.url,
            "LANGSMITH_API_KEY": "lsv2-secret",
        }
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(path), str(tmp_path)],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=True,
        )
    return int(ran.stdout.splitlines()[-1]), langsmith.asked


@pytest.mark.parametrize("allowed", [False, True])
def test_the_environment_alone_sends_nothing(tmp_path: Path, allowed: bool) -> None:
    """The same program with the switch on does send, so that the test would notice."""
    answered, sent = run(tmp_path, allowed=allowed)
    assert answered >= 4
    assert bool(sent) is allowed
