"""The control API."""


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
    assert "choose one of status" in refused.json()["error"]["message"]
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
