"""Which fields are taken, ignored and refused."""

import pytest

EMBEDDING = {"model": "embedding", "input": "Hello?"}
BODY = {"model": "cost_sensitive", "messages": [{"role": "user", "content": "Hello?"}]}


def post(running, body, **headers):
    with running.client() as client:
        return client.post("/v1/chat/completions", json=body, headers=headers)


@pytest.mark.parametrize(
    ("changes", "status", "param", "word"),
    [
        ({"modell": "x"}, 400, "modell", "Did you mean 'model'?"),
        ({"n": 2}, 400, "n", "several times"),
        ({"n": True}, 400, "n", "n"),
        ({"logprobs": True}, 400, "logprobs", "cannot be done"),
        ({"functions": [{"name": "a"}]}, 400, "functions", "use 'tools'"),
        ({"messages": "Hello?"}, 400, "messages", "list"),
        ({"messages": []}, 400, "messages", "no messages"),
        ({"model": None}, 400, "model", "text"),
        ({"model": "gpt-6-lunar"}, 404, "model", "Did you mean"),
        ({"model": "Cost-Sensitive"}, 404, "model", "Did you mean 'cost_sensitive'?"),
        ({"tools": "find"}, 400, "tools", "list"),
        ({"max_tokens": 3, "max_completion_tokens": 4}, 400, "max_tokens", "differ"),
        ({"max_tokens": 0}, 400, "max_tokens", "greater than 0"),
        ({"max_completion_tokens": 0}, 400, "max_completion_tokens", "'max_completion_tokens' must be"),
        ({"max_tokens": 2**70}, 400, "max_tokens", "max_tokens"),
        ({"stream": "yes"}, 400, "stream", "true or false"),
        ({"stream_options": 1}, 400, "stream_options", "object"),
        ({"stream_options": {"include_usages": True}}, 400, "stream_options", "Did you mean 'include_usage'"),
        ({"temperature": "hot"}, 400, "temperature", "temperature"),
        ({"response_format": {"type": "xml"}}, 400, "response_format", "json_schema"),
        ({"response_format": {"type": "json_schema"}}, 400, "response_format", "schema"),
        ({"tool_choice": "required"}, 400, "tool_choice", "needs 'tools'"),
        (
            {"tool_choice": {"type": "function", "function": {"name": "nope"}}},
            400,
            "tool_choice",
            "needs 'tools'",
        ),
        ({"messages": [{"role": "user", "content": "x"}] * 5001}, 413, "messages", "5,000"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}] * 5000}]},
            413,
            "messages",
            "5,000",
        ),
        ({"api_key": "sk-secret"}, 400, "api_key", "unknown field"),
        ({"user": "a\u200b\u2028"}, 400, "user", "user"),
        ({"stop": [""]}, 400, "stop", "none of them empty"),
        ({"seed": "7"}, 400, "seed", "whole number"),
        ({"parallel_tool_calls": "yes"}, 400, "parallel_tool_calls", "true or false"),
        ({"tools": [{"type": "search"}]}, 400, "tools", "a tool must be"),
        (
            {"tools": [{"type": "function", "function": {"name": "f"}, "googleSearch": {}}]},
            400,
            "tools",
            "no 'googleSearch'",
        ),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "a"}]}, 400, "messages", "tool"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,!!!"}}],
                    }
                ]
            },
            400,
            "messages",
            "no base64",
        ),
    ],
)
def test_what_cannot_be_served_is_refused_with_its_field(running, changes, status, param, word):
    response = post(running, {**BODY, **changes})
    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (status, param)
    assert word in error["message"]
    assert not any(words in error["message"] for words in ("True", "None,", "nusd", "_s'"))
    assert "sk-secret" not in response.text


def test_what_changes_nothing_is_ignored_and_said(running):
    neutral = {
        "n": 1,
        "logprobs": False,
        "logit_bias": {},
        "modalities": ["text"],
        "audio": None,
        "tools": None,
    }
    response = post(running, {**BODY, **neutral, "store": False, "metadata": {"a": "b"}})
    assert response.status_code == 200
    assert response.json()["nextflow"]["notices"] == [
        "'store' has no effect here",
        "'metadata' has no effect here",
    ]
    assert (
        response.headers["x-nextflow-notices"] == "'store' has no effect here | 'metadata' has no effect here"
    )


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({"x-nextflow-usecase": "a"}, "Did you mean 'x-nextflow-use-case'"),
        ({"x-nextflow-deadline-s": "soon"}, "number"),
        ({"x-nextflow-deadline-s": "nan"}, "greater than 0"),
        ({"x-nextflow-deadline-s": "-2"}, "greater than 0"),
        ({"x-nextflow-tags": "a*"}, "stands for every name"),
        ({"x-nextflow-max-cost-usd": "-1"}, "number"),
        ({"x-nextflow-max-cost-usd": "1_000"}, "plain digits"),
        ({"x-nextflow-max-cost-usd": "1.000"}, "plain digits"),
        ({"x-nextflow-run": "a", "x-nextflow-run-max-cost-usd": "1.000"}, "plain digits"),
        ({"x-nextflow-deadline-s": "1_0"}, "plain digits"),
        ({"x-nextflow-run": "a//b"}, "'x-nextflow-run' has a part without a name"),
        ({"x-nextflow-run": "a", "x-nextflow-run-max-cost-usd": "much"}, "-cost-usd' must be dollars"),
        ({"x-nextflow-run-max-cost-usd": "1"}, "name it with 'x-nextflow-run', or limit this one request"),
        ({"x-nextflow-run-max-cost-usd": "1"}, "with 'x-nextflow-max-cost-usd'"),
        ({"x-nextflow-cache": "maybe"}, "cache"),
        ({"x-nextflow-use-case": "customer_service"}, "two use cases"),
        ({"idempotency-key": "a" * 300}, "at most 255"),
    ],
)
def test_a_header_of_ours_that_means_nothing_is_refused(running, headers, word):
    response = post(running, BODY, **headers)
    error = response.json()["error"]
    *_, name = headers
    assert response.status_code == 400
    assert word in error["message"]
    assert error["param"] == ("model" if "use-case" in name else name)


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"a":' * 70 + b"1" + b"}" * 70, "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"messages": ["\\ud800"]}', "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"a=b", "application/x-www-form-urlencoded", 415),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(running, content, kind, status):
    with running.client() as client:
        response = client.post("/v1/chat/completions", content=content, headers={"content-type": kind})
    assert response.status_code == status
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_headers_hold_names_in_any_script(running):
    """Counted under the name that budgets and reports know."""
    answer = post(running, BODY, **{"x-nextflow-tags": "café, Đơn".encode()})
    assert answer.status_code == 200
    (row,) = running.orchestrator.requests(tag="café")
    assert set(row.tags) >= {"café", "Đơn"}


def test_a_header_that_is_no_utf8_is_refused(running):
    answer = post(running, BODY, **{"x-nextflow-tags": b"caf\xe9"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_header")


@pytest.mark.parametrize(
    "name",
    ["run", "run-max-cost-usd", "max-cost-usd", "use-case", "cache", "deadline-s"],
)
def test_a_header_that_is_given_twice_is_refused_and_no_limit_is_lost(running, name):
    with running.client() as client:
        for path, body in (("chat/completions", BODY), ("embeddings", EMBEDDING)):
            value = {"use-case": body["model"], "cache": "off"}.get(name, "1")
            twice = [("x-nextflow-run", "r")] * (name != "run") + [(f"x-nextflow-{name}", value)] * 2
            answer = client.post(f"/v1/{path}", json=body, headers=twice)
            error = answer.json()["error"]
            assert (answer.status_code, error["code"]) == (400, "invalid_header")
            assert error["message"] == f"the header 'x-nextflow-{name}' is given twice"


def test_tags_may_come_in_several_headers_and_each_counts(running):
    with running.client() as client:
        headers = [("x-nextflow-tags", "a,b"), ("x-nextflow-tags", "c")]
        assert client.post("/v1/chat/completions", json=BODY, headers=headers).status_code == 200
    (row,) = running.orchestrator.requests()
    assert set(row.tags) == {"a", "b", "c"}
