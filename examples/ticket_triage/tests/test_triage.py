"""The triage chain, without a key and without a network: the fixtures come with the orchestrator."""

import pytest
from chains.triage import Ticket, triage

from orchestrator import Orchestrator
from orchestrator.chains import shipped
from orchestrator.core.errors import AnswerNotRecordedError

TICKET = Ticket(text="My parcel is late.")
GOOD = '{"desk": "shipping", "first_reply": "Thank you, shipping will answer."}'


def test_a_late_parcel_goes_to_shipping(orchestrator, practice):
    practice.say(GOOD)
    assert triage(orchestrator, language="en").invoke(TICKET).desk == "shipping"
    assert "You sort the messages" in practice.requests[0].messages[0]["content"]


def test_a_promise_of_money_is_written_again(orchestrator, practice):
    practice.say(GOOD.replace("shipping will answer", "you get a refund"), GOOD)
    result = triage(orchestrator).with_details().invoke(TICKET)
    assert (result.stage, result.tries[0].mistakes) == ("repair", ("first_reply: promises money",))
    assert result.prompt_version.startswith("triage.vi@1-")


def test_an_outage_of_one_provider_is_not_noticed(orchestrator, practice):
    practice.say(GOOD)
    practice.faults.add("openrouter:status=503")
    result = triage(orchestrator).with_details().invoke(TICKET)
    assert not result.tries[0].deployment.startswith("openrouter/")
    assert result.degraded


def test_the_shipped_chains_are_there_beside_our_own(orchestrator, practice):
    answer = shipped().customer_service(orchestrator).invoke({"question": "Where is my parcel?"})
    assert answer.answer
    assert practice.bill.total_nusd() > 0


def test_recorded_answers_are_repeated_for_nothing(practice, tmp_path, monkeypatch):
    """`answers` is the file that `Orchestrator.from_config(record=...)` writes and `replay=` reads."""
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(tmp_path / "home"))
    path = tmp_path / "answers.jsonl"
    practice.say(GOOD)
    first = triage(practice.open(record=path)).with_details().invoke(TICKET)
    with Orchestrator.from_config(replay=path) as replaying:
        again = triage(replaying).with_details().invoke(TICKET)
        with pytest.raises(AnswerNotRecordedError, match="differs from character"):
            triage(replaying).invoke(Ticket(text="My parcel is lost."))
    assert (again.value, again.cost_nusd) == (first.value, 0)
