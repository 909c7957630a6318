"""The metrics say what the ledger booked, to the nano-dollar, whichever entry a request took."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from orchestrator import Orchestrator, RequestError
from orchestrator.core.errors import UnavailableError
from orchestrator.practice import PracticeServer
from orchestrator.providers.in_memory import InMemoryTransport
from orchestrator.telemetry.prometheus import PrometheusMetrics
from tests.experiments.conftest import eventually

Samples = Callable[..., float]


def samples_of(metrics: PrometheusMetrics) -> Samples:
    """Return a function that sums a sample over all labels that are not named."""
    body, _ = metrics.render()
    samples = [
        sample for family in text_string_to_metric_families(body.decode()) for sample in family.samples
    ]

    def total(name: str, **labels: str) -> float:
        return sum(
            sample.value
            for sample in samples
            if sample.name == f"nextflow_{name}" and labels.items() <= sample.labels.items()
        )

    return total


@pytest.fixture
def metrics(practised: Orchestrator) -> PrometheusMetrics:
    return PrometheusMetrics(practised)


def test_dollars_tokens_and_outcomes_are_those_of_the_ledger(
    practised: Orchestrator, metrics: PrometheusMetrics, practice: PracticeServer
) -> None:
    practice.faults.add("openrouter:status=500,times=1")
    replies = [practised.complete(f"question {number}", tenant="acme") for number in range(3)]
    practised.complete("question 0", tenant="acme")
    list(practised.stream("a stream"))
    practised.native("openai/gpt-6-luna").invoke("native")
    total = samples_of(metrics)
    booked = next(status for status in practised.standings() if status.scope == "all")
    assert total("cost_nanodollars_total") == booked.spent > 0
    assert total("requests_total", outcome="succeeded") == 6
    assert total("requests_total", cache="hit") == 1
    assert total("attempt_failures_total", failure="server_error") == 1
    assert total("attempts_total") == sum(len(reply.attempts) for reply in replies) + 2
    assert total("request_seconds_count") == 6
    assert total("first_token_seconds_count") >= 1
    assert total("budget_spent_usd", scope="all", window="day") == pytest.approx(booked.spent / 1e9)
    assert total("in_flight") == 0


def test_sides_of_an_experiment_are_counted(make_config: Any, clock: Any) -> None:
    faq = {
        "use_case": "customer_service", "candidate": "openrouter/gpt-6-luna", "mode": "ab", "share": 0.5, "metric": "cost",
    }  # fmt: skip
    config = make_config({"experiments": {"faq": faq}})
    with Orchestrator(config, clock=clock, transport=InMemoryTransport(clock=clock)) as orchestrator:
        metrics = PrometheusMetrics(orchestrator)
        for number in range(12):
            orchestrator.complete("Hi", user=f"u{number}", cache="off")
        total = samples_of(metrics)
    sides = [total("experiment_requests_total", experiment="faq", arm=arm) for arm in ("live", "candidate")]
    assert sum(sides) == 12
    assert min(sides) > 0


def test_a_shadow_is_counted_by_its_side_and_its_cost_and_is_no_request(make_config: Any, clock: Any) -> None:
    faq = {
        "use_case": "customer_service", "candidate": "openrouter/gpt-6-luna", "mode": "shadow", "share": 1.0,
        "metric": "cost", "budget": {"day": 1.0},
    }  # fmt: skip
    config = make_config({"experiments": {"faq": faq}})
    with Orchestrator(config, clock=clock, transport=InMemoryTransport(clock=clock)) as orchestrator:
        metrics = PrometheusMetrics(orchestrator)
        orchestrator.complete("Hi")
        eventually(lambda: samples_of(metrics)("experiment_requests_total", arm="shadow"))
        total = samples_of(metrics)
        assert (total("requests_total"), total("requests_total", use_case="shadow:faq")) == (1, 0)
        assert total("request_seconds_count") == 1
        assert total("cost_nanodollars_total", use_case="shadow:faq") > 0
        assert total("budget_limit_usd", scope="experiment:faq", window="day") == 1
        assert total("budget_limit_usd", scope="tenant:shadow:faq", window="day") == 0


def test_failures_and_circuits_are_counted(make_orchestrator: Any, practice: PracticeServer) -> None:
    practice.faults.add("*:status=401")
    orchestrator = make_orchestrator({"local_model": {"enabled": False}})
    metrics = PrometheusMetrics(orchestrator)
    with pytest.raises(UnavailableError):
        orchestrator.complete("question")
    total = samples_of(metrics)
    assert total("requests_total", outcome="failed") == 1
    assert total("errors_total") == 1
    assert total("attempt_failures_total", failure="unauthorized") >= 1
    assert total("circuit_open", state="open") >= 1


def test_no_label_holds_a_tenant_a_user_or_a_tag(practised: Orchestrator, metrics: PrometheusMetrics) -> None:
    """There may be any number of them, and they are nobody's business outside."""
    practised.complete("a secret question", tenant="secret-tenant", user="secret-user", tags=("secret-tag",))
    body, content_type = metrics.render()
    assert b"secret" not in body
    assert content_type.startswith("text/plain")


def test_a_request_that_is_refused_unseen_counts_nothing(
    practised: Orchestrator, metrics: PrometheusMetrics
) -> None:
    with pytest.raises(RequestError):
        practised.complete("")
    assert samples_of(metrics)("requests_total") == 0


def test_an_observer_that_fails_stops_no_request(
    practised: Orchestrator, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing:
        def attempt_settled(self, *_: object) -> None:
            raise ValueError

        def request_recorded(self, *_: object) -> None:
            raise ValueError

    practised.observe(Failing())
    assert practised.complete("question").text
    assert "an observer of the ledger failed" in caplog.text


PROGRAM = """
import sys
from datetime import date
from pathlib import Path
from orchestrator import Orchestrator
from orchestrator.config.loader import load_config
from orchestrator.providers.in_memory import InMemoryTransport
from orchestrator.telemetry.prometheus import PrometheusMetrics

with Orchestrator(load_config(Path(sys.argv[1]), today=date(2026, 11, 23))) as orchestrator:
    metrics = PrometheusMetrics(orchestrator)
    orchestrator.complete(sys.argv[2])
    print(metrics.render()[0].decode())
"""


def test_over_processes_a_scrape_of_any_of_them_sums_all(
    make_config: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    make_config()
    shared = tmp_path / "metrics"
    shared.mkdir()
    variables = {**os.environ, **environment, "PROMETHEUS_MULTIPROC_DIR": str(shared)}

    def ask(question: str) -> str:
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / "config.yaml"), question]
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout

    ask("one question")
    families = text_string_to_metric_families(ask("another question"))
    values = [
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "nextflow_requests_total"
    ]
    assert sum(values) == 2
