"""The control API."""

import pytest


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Host": "localhost.evil.example"},
        {"Host": "10.0.0.1"},
        {"Host": "127.0.0.1@evil.example"},
        {"Host": "[::1"},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "bill"), ("DELETE", "bill"), ("POST", "faults"), ("DELETE", "faults"), ("GET", "health")],
)
def test_a_page_of_another_place_is_refused(caller, headers, method, path):
    """By a name that leads here (DNS rebinding) as by a form that is posted here; nothing is changed."""
    caller.post("openai")
    before = caller.server.bill.total_nusd()
    body = {"faults": ["openai:status=500"]} if method == "POST" else None
    refused = caller.http.request(method, f"{caller.server.url}/practice/{path}", json=body, headers=headers)
    assert refused.status_code in {400, 403}
    assert "charges" not in refused.text
    assert len(caller.server.faults) == 0
    assert caller.server.bill.total_nusd() == before > 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.8.8"])
def test_this_machine_by_any_of_its_names_is_answered(caller, host):
    """With a page of its own too."""
    name = f"{host}:{caller.server.port}"
    headers = {"Host": name, "Origin": f"http://{name}", "Sec-Fetch-Site": "same-origin"}
    assert caller.http.get(f"{caller.server.url}/practice/health", headers=headers).status_code == 200


def test_faults_are_added_told_and_dropped(caller):
    """As texts or objects; what waits is told in both forms."""
    url = f"{caller.server.url}/practice/faults"
    faults = ["openai:status=500,times=2", {"provider": "google", "kind": "reset"}]
    waiting = caller.http.post(url, json={"faults": faults}).json()["faults"]
    assert [fault["text"] for fault in waiting] == ["openai:status=500,times=2", "google:reset"]
    assert caller.post("openai").status_code == 500
    assert caller.http.get(url).json()["faults"][0]["times"] == 1
    assert caller.http.delete(url, params={"provider": "google"}).json() == {"dropped": 1}
    assert caller.http.delete(url).json() == {"dropped": 1}
    assert caller.post("openai").status_code == 200


def test_a_wrong_fault_is_refused_with_the_choices(caller):
    """400, and nothing is added."""
    url = f"{caller.server.url}/practice/faults"
    refused = caller.http.post(url, json={"faults": ["openai:reset", "openai:boom"]})
    assert refused.status_code == 400
    assert "unknown fault 'boom'; known: " in refused.json()["error"]["message"]
    assert caller.http.post(url, json={}).status_code == 400
    assert len(caller.server.faults) == 0


def test_the_bill_can_be_read_and_cleared(caller):
    """From another process, in whole nano-dollars."""
    caller.post("openai")
    url = f"{caller.server.url}/practice/bill"
    bill = caller.http.get(url).json()
    assert bill["total_nusd"] == caller.server.bill.total_nusd() == bill["providers"]["openai"]["total_nusd"]
    assert bill["charges"][0]["delivered"] == "whole"
    assert caller.http.delete(url).json()["total_nusd"] == 0


def test_health_tells_that_it_runs(caller):
    """And an unknown control path is 404."""
    assert caller.http.get(f"{caller.server.url}/practice/health").json()["status"] == "ok"
    assert caller.http.get(f"{caller.server.url}/practice/else").status_code == 404
