"""What a deployment would have answered, drawn from what is recorded of it."""

from dataclasses import replace

import pytest

from orchestrator.core.failures import FailureKind
from orchestrator.core.prompt_size import Script
from orchestrator.core.reply import Outcome
from orchestrator.whatif.evidence import ENOUGH, RestsOn, SendEvidence
from orchestrator.whatif.recorded_traffic import RecordedRequest, RecordedSend

SOL, FLASH, OPENAI_SOL = "openrouter/gpt-6.1-sol", "google/gemini-3.8-flash", "openai/gpt-6.1-sol"


def send(at_s, deployment=SOL, failure=None, output=100, latency_s=2.0):
    provider, model = deployment.split("/")
    return RecordedSend(at_s, deployment, model, provider, failure, None, latency_s, None, 50, output, 0, 40, Script.PLAIN)  # fmt: skip


def request(number, at_s, *sends):
    return RecordedRequest(number, at_s, "acme", "customer_service", None, (), Outcome.SUCCEEDED, False, 0, 2.0,
                           sends, number, 40, Script.PLAIN)  # fmt: skip


@pytest.fixture
def deployments(make_config):
    return make_config({"local_model": {"enabled": False}}).catalog.deployments


def test_a_request_gets_from_a_deployment_what_it_got(deployments):
    own = send(100, failure="timeout", latency_s=9.0)
    evidence = SendEvidence([send(at) for at in range(50)], [], seed=0)
    drawn = evidence.draw(request(1, 100, own), deployments[SOL], nth=0)
    assert (drawn.failure, drawn.latency_s) == (FailureKind.TIMEOUT, 9.0)


def test_an_outage_is_one_for_every_request_of_that_time(deployments):
    sends = [
        send(at, FLASH, failure="unavailable" if 3000 <= at < 4000 else None) for at in range(0, 9000, 100)
    ]
    evidence = SendEvidence(sends, [], seed=0)
    at = lambda moment: evidence.draw(request(int(moment), moment), deployments[FLASH], nth=0).failure  # noqa: E731
    assert {at(moment) for moment in range(3100, 3850, 50)} == {FailureKind.UNAVAILABLE}
    assert {at(moment) for moment in range(6000, 7000, 50)} == {None}


def test_another_model_writes_as_much_longer_as_it_usually_does(deployments):
    pairs = [(request(n, n, send(n)), request(100 + n, n, send(n, FLASH, output=300))) for n in range(ENOUGH)]
    requests = [each for pair in pairs for each in pair]
    evidence = SendEvidence([each.sends[0] for each in requests], requests, seed=0)
    drawn = evidence.draw(request(7, 7, send(7, output=50)), deployments[FLASH], nth=0)
    assert drawn.output_tokens == 150
    assert drawn.input_tokens == 50


def test_latency_grows_with_length_as_the_recorded_ones_do(deployments):
    sends = [send(n, FLASH, output=100 + n, latency_s=1 + (100 + n) / 100) for n in range(100)]
    evidence = SendEvidence(sends, [], seed=0)
    drawn = evidence.draw(request(1, 50, send(50, output=150)), deployments[FLASH], nth=0)
    assert drawn.latency_s == pytest.approx(1 + drawn.output_tokens / 100)


def test_it_says_whose_sends_it_rests_on(deployments):
    evidence = SendEvidence([send(n) for n in range(ENOUGH)], [], seed=0)
    assert evidence.rests_on(deployments[SOL]) == (RestsOn.ITSELF, ENOUGH)
    assert evidence.rests_on(deployments[OPENAI_SOL]) == (RestsOn.MODEL, ENOUGH)
    assert evidence.rests_on(deployments["openrouter/claude-opus-5.5"]) == (RestsOn.PROVIDER, ENOUGH)
    assert evidence.rests_on(deployments[FLASH]) == (RestsOn.ALL, ENOUGH)


def test_a_few_sends_of_its_own_are_counted_though_others_stand_for_it(deployments):
    sends = [*(send(number) for number in range(5)), *(send(number, FLASH) for number in range(30))]
    evidence = SendEvidence(sends, [], seed=0)
    assert evidence.rests_on(deployments[SOL]) == (RestsOn.ALL, 35)
    assert (evidence.own_sends(SOL), evidence.own_sends("nobody")) == (5, 0)


def test_a_bad_request_is_one_everywhere_and_speaks_of_no_provider(deployments):
    bad = replace(send(1), failure=FailureKind.BAD_REQUEST)
    evidence = SendEvidence([bad, *(send(n) for n in range(ENOUGH))], [], seed=0)
    assert evidence.draw(request(1, 1, bad), deployments[FLASH], nth=0).failure is FailureKind.BAD_REQUEST
    assert evidence.rests_on(deployments[SOL]) == (RestsOn.ITSELF, ENOUGH)
