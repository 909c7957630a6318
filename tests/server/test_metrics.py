"""`/metrics` says what the ledger booked for the requests of `/v1`, to those who may see every tenant's."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.access.api_keys import Role
from orchestrator.practice import Fault

BODY = {"model": "cost_sensitive", "messages": [{"role": "user", "content": "Hello?"}]}


def total_of(text: str, name: str, **labels: str) -> float:
    """Return the sum of a sample over all labels that are not named."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"nextflow_{name}" and labels.items() <= sample.labels.items()
    )


def test_a_scrape_after_requests_equals_the_ledger(running, practice):
    practice.faults.add(Fault.parse("*:status=500,times=1"))
    bodies = [BODY, BODY | {"seed": 1}, BODY | {"seed": 1}, BODY | {"seed": 2, "stream": True}]
    with running.client() as client:
        answers = [client.post("/v1/chat/completions", json=body) for body in bodies]
        running.wait_idle()
        scrape = client.get("/metrics")
    assert [answer.status_code for answer in answers] == [200] * 4
    assert scrape.headers["content-type"].startswith("text/plain; version=0.0.4")
    rows = running.orchestrator.requests()
    everything = next(status for status in running.orchestrator.standings() if status.scope == "all")
    assert total_of(scrape.text, "cost_nanodollars_total") == everything.spent > 0
    assert total_of(scrape.text, "requests_total", outcome="succeeded") == len(rows) == 4
    assert total_of(scrape.text, "requests_total", cache="hit") == 1
    assert total_of(scrape.text, "attempts_total") == sum(row.attempts for row in rows)
    assert total_of(scrape.text, "attempt_failures_total", failure="server_error") == 1
    assert total_of(scrape.text, "budget_spent_usd", scope="all", window="day") == everything.spent / 1e9


@pytest.mark.parametrize(
    ("roles", "status"), [((Role.CALL, Role.READ), 403), ((Role.OPERATE,), 200), (None, 401)]
)
def test_the_numbers_of_all_tenants_are_for_operators(serve, roles, status):
    running = serve()
    running.make_key()
    key = None if roles is None else running.make_key(roles=roles)
    with running.client(key) as client:
        assert client.get("/metrics").status_code == status


def test_without_keys_no_web_page_may_read_them(running):
    with running.client() as client:
        assert client.get("/metrics").status_code == 200
        assert client.get("/metrics", headers={"origin": "https://elsewhere.example"}).status_code == 403


def test_a_ledger_that_cannot_be_read_is_a_503_that_names_no_file(running, tmp_path):
    with running.client() as client:
        assert client.post("/v1/chat/completions", json=BODY).status_code == 200
        ledger = running.orchestrator.config.settings.ledger.path
        for path in tmp_path.rglob("ledger.sqlite3*"):
            path.unlink()
        scrape = client.get("/metrics")
    assert (scrape.status_code, scrape.json()["error"]["code"]) == (503, "ledger_unavailable")
    assert str(ledger) not in scrape.text
