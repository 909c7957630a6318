"""Variables of the environment alone send no prompt to LangSmith; config.yaml may let them."""

import json
from pathlib import Path

import pytest

from orchestrator import ConfigError
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

paths = sys.argv[1:]
with PracticeServer() as practice:
    for path in paths:
        environment = {"ORCHESTRATOR_HOME": f"{path}.home", **addresses(practice)}
        config = load_config(Path(path), today=datetime.now(UTC).date(), environment=environment)
        with Orchestrator(config) as orchestrator:
            prompt = ChatPromptTemplate.from_messages([("user", "{question}")])
            (prompt | orchestrator.chat_model("customer_service")).invoke({"question": "Xin chào"})
            orchestrator.native("openai/gpt-6-luna").invoke("Xin chào")
            orchestrator.native("google/gemini-3.8-flash").invoke("Xin chào")
            customer_service(orchestrator).invoke(CustomerQuestion(question="Đơn đâu?", facts=()))
        wait_for_all_tracers()
        print(len(practice.requests), flush=True)
        sys.stdin.readline()
"""


def config_file(folder: Path, *, allowed: bool) -> str:
    """Return the path of the shipped configuration with LangSmith allowed or not."""
    path = folder / f"{allowed}.yaml"
    text = embedded_path().read_text(encoding="utf-8")
    assert "langsmith: false" in text
    path.write_text(text.replace("langsmith: false", f"langsmith: {json.dumps(allowed)}"), encoding="utf-8")
    return str(path)


def test_the_environment_alone_sends_nothing(tmp_path: Path, warm) -> None:
    """The same program goes on with the switch on and then does send, so that the test would notice."""
    paths = [config_file(tmp_path, allowed=allowed) for allowed in (False, True)]
    with redirecting() as langsmith:
        variables = {
            "LANGSMITH_TRACING": "true",
            "LANGCHAIN_TRACING_V2": "true",
            "LANGSMITH_ENDPOINT": langsmith.url,
            "LANGCHAIN_ENDPOINT": langsmith.url,
            "LANGSMITH_API_KEY": "lsv2-secret",
        }
        program = warm(PROGRAM, *paths, environment=variables)
        assert int(program.told()) >= 4
        sent_without = list(langsmith.asked)
        program.go()
        assert int(program.told()) >= 8
    assert sent_without == []
    assert langsmith.asked


@pytest.mark.parametrize("former", ["LANGCHAIN_TRACING", "LANGCHAIN_HANDLER"])
@pytest.mark.parametrize("made", ["chat_model", "embeddings"])
def test_a_former_switch_is_named_before_langchain_ends_every_call(practised, monkeypatch, former, made):
    """LangChain's own error comes with each call, and names the variable neither of the two times."""
    monkeypatch.setenv(former, "true")
    with pytest.raises(ConfigError, match=f"unset {former}"):
        getattr(practised, made)()
    monkeypatch.setenv(former, "false")
    getattr(practised, made)()
