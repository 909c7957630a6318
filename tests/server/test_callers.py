"""Who may ask, on whose account, how often; and what a web page could send."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.access.api_keys import Role

BODY = {"model": "cost_sensitive", "messages": [{"role": "user", "content": "Hello?"}]}


def post(running, key=None, body=BODY, **headers):
    with running.client(key) as client:
        return client.post("/v1/chat/completions", json=body, headers=headers)


def code_of(response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_once_there_is_a_key_every_request_needs_one(running):
    assert post(running).status_code == 200
    key = running.make_key()
    assert code_of(post(running)) == (401, "invalid_api_key")
    assert post(running).headers["www-authenticate"] == "Bearer"
    assert post(running, key).status_code == 200


def test_a_wrong_an_expired_and_a_revoked_key_open_nothing(serve):
    running = serve(bad_keys_per_min=1000)
    now = datetime.now(UTC)
    good = running.make_key()
    expired = running.make_key(expires_at=now - timedelta(seconds=1))
    revoked = running.make_key(revoked_at=now)
    for key, word in (
        (expired, "expired"),
        (revoked, "revoked"),
        (good[:-1] + "x", "known"),
        (f"{good}0", "known"),
    ):
        response = post(running, key)
        assert code_of(response) == (401, "invalid_api_key")
        assert word in response.json()["error"]["message"]
        assert key not in response.text
    assert post(running, good).status_code == 200


def test_the_tenant_is_the_keys_and_no_request_names_another(running):
    key = running.make_key(tenant="acme")
    assert post(running, key).status_code == 200
    scopes = {status.scope for status in running.orchestrator.standings()}
    assert "tenant:default" not in scopes
    assert code_of(post(running, key, **{"x-nextflow-tenant": "lotus"})) == (400, "unknown_header")
    assert code_of(post(running, key, {**BODY, "tenant": "lotus"})) == (400, "unknown_parameter")


def test_a_key_for_some_use_cases_asks_for_no_other_and_for_no_model(running):
    key = running.make_key(use_cases=("cost_sensitive",))
    assert post(running, key).status_code == 200
    for name in ("customer_service", "gpt-6-luna", "nothing"):
        assert code_of(post(running, key, {**BODY, "model": name})) == (403, "not_allowed")
    with running.client(key) as client:
        assert [entry["id"] for entry in client.get("/v1/models").json()["data"]] == ["cost_sensitive"]
        assert client.get("/v1/models/customer_service").status_code == 404


def test_a_key_without_the_role_does_not_call(running):
    key = running.make_key(roles=(Role.READ,))
    assert code_of(post(running, key)) == (403, "not_allowed")


def test_a_key_has_its_requests_a_minute_and_is_told_when_there_are_more(running):
    key = running.make_key(requests_per_min=2)
    assert [post(running, key).status_code for _ in range(3)] == [200, 200, 429]
    response = post(running, key)
    assert 0 < int(response.headers["retry-after"]) <= 30
    assert post(running, running.make_key()).status_code in {200, 401}


def test_a_flood_of_wrong_keys_is_refused_without_a_look(serve):
    running = serve(bad_keys_per_min=3)
    running.make_key()
    assert [post(running, "wrong").status_code for _ in range(4)] == [401, 401, 401, 429]


@pytest.mark.parametrize(
    "headers", [{"host": "evil.example"}, {"origin": "https://evil.example"}, {"host": "[::1"}]
)
def test_without_keys_a_web_page_in_a_browser_of_this_machine_gets_nothing(running, headers):
    assert code_of(post(running, **headers)) == (403, "not_allowed")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8400", "[::1]:8400", "[::1]"])
def test_without_keys_programs_of_this_machine_are_served_by_its_every_name(running, host):
    assert post(running, host=host).status_code == 200


def test_what_keys_spend_is_counted_by_a_tag_that_nobody_else_can_name(serve):
    running = serve({"budgets": {"limits": [{"scope": "tag:*", "day": 0.000001}]}})
    for tag in ("key:abc", "prompt:support.vi@3", "arm:trial:on"):
        assert code_of(post(running, **{"x-nextflow-tags": f"campaign,{tag}"})) == (400, "invalid_value")
    key = running.make_key()
    response = post(running, key)
    assert code_of(response) == (402, "budget_exceeded")
    assert "tag:key:" in response.json()["error"]["message"]
