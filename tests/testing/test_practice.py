"""The providers of a user's test say and fail what it says, and remember what they were asked."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.core.errors import AnswerNotRecordedError, StateError, UnavailableError
from orchestrator.practice import PracticeToolCall
from orchestrator.testing.practice import Practice

AZURE = {
    "providers": {
        "azure": {
            "kind": "litellm",
            "prefix": "azure",
            "priority": 2,
            "base_url": "https://our-resource.openai.azure.com",
            "api_key": "${AZURE_KEY:-}",
            "parameters": {"api_version": "2024-10-21"},
        }
    },
    "deployments": {
        "azure/ours": {
            "provider": "azure",
            "model": "gpt-6-luna",
            "upstream": "ours",
            "price": {"input": 7, "output": 11, "source": "a contract", "date": "2026-11-01"},
        }
    },
}


@pytest.fixture
def practice(make_config, tmp_path: Path, monkeypatch) -> Iterator[Practice]:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real-0123456789")
    providers = Practice(home=tmp_path / "home", config=make_config().path)
    yield providers
    providers.close()


def test_models_say_what_they_are_told_and_then_what_fits(practice):
    orchestrator = practice.open()
    practice.say("first")
    practice.say_where({"refund": "to a colleague"})
    assert orchestrator.complete("Hi").text == "first"
    assert orchestrator.complete("I want a REFUND").text == "to a colleague"
    assert orchestrator.complete("Hi again").text
    assert [request.messages[-1]["content"] for request in practice.requests] == [
        "Hi",
        "I want a REFUND",
        "Hi again",
    ]


def test_a_tool_call_is_scripted_and_else_follows_from_the_message(practice):
    orchestrator = practice.open()
    parameters = {"type": "object", "properties": {"ma_don": {"type": "string"}}, "required": ["ma_don"]}
    tool = {"type": "function", "function": {"name": "tra_cuu_don", "parameters": parameters}}
    practice.say(PracticeToolCall("tra_cuu_don", '{"ma_don": "DH7"}'))
    for question, ma_don in (("Đơn ở đâu?", "DH7"), ("Đơn DH1001 ở đâu?", "DH1001")):
        (call,) = orchestrator.complete(question, tools=[tool]).tool_calls
        assert (call.name, json.loads(call.arguments)) == ("tra_cuu_don", {"ma_don": ma_don})


def test_a_fault_by_its_name_a_bill_and_a_ledger_of_its_own(practice, tmp_path):
    orchestrator = practice.open()
    practice.faults.add("*:status=503")
    before = practice.clock.now()
    with pytest.raises(UnavailableError):
        orchestrator.complete("Hi")
    assert practice.clock.slept_s
    assert practice.clock.now() > before
    practice.faults.clear()
    practice.clock.advance(600)
    reply = orchestrator.complete("Hi")
    assert reply.cost_nusd > 0
    assert practice.bill.charges
    assert (tmp_path / "home" / "ledger.sqlite3").is_file()


def test_no_real_key_is_read(practice):
    keys = [
        provider.api_key
        for provider in practice.open().config.settings.providers.values()
        if provider.api_key
    ]
    assert {key.get_secret_value() for key in keys} == {"practice"}


def test_the_bill_has_the_prices_of_the_configuration_and_the_faults_its_providers(
    practice, tmp_path, make_config
):
    practice = Practice(home=tmp_path / "own", config=make_config(AZURE, AZURE_KEY="k").path)
    orchestrator = practice.open()
    for model in ("google/gemini-3.8-flash", "openai/gpt-6-luna", "openrouter/gpt-6-luna", "azure/ours"):
        billed = practice.bill.total_nusd()
        reply = orchestrator.complete(f"Ask {model}", model=model)
        assert reply.cost_nusd == practice.bill.total_nusd() - billed, model
    practice.faults.add("azure:status=401")
    with pytest.raises(UnavailableError):
        orchestrator.complete("Hi", model="azure/ours")
    practice.close()


def test_what_a_test_recorded_is_replayed_by_another_orchestrator_and_no_provider_is_asked(
    practice, tmp_path
):
    path = tmp_path / "answers.jsonl"
    practice.say("Huế")
    practice.open(record=path).complete("Name a city.")
    replaying = practice.open(replay=path)
    again = replaying.complete("Name a city.")
    assert (again.text, again.cost_nusd, again.cached) == ("Huế", 0, "replayed")
    with pytest.raises(AnswerNotRecordedError):
        replaying.complete("Name a river.")
    assert len(practice.requests) == 1
    with pytest.raises(StateError, match="name one of them"):
        practice.open(record=path, replay=path)
