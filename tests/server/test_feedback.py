"""`/v1/feedback` keeps what is thought of a tenant's own answers, and says nothing of anybody else's."""

import pytest

from orchestrator.access.api_keys import Role

BODY = {"model": "cost_sensitive", "messages": [{"role": "user", "content": "Hello?"}]}


@pytest.fixture
def answered(running):
    """A server, a key of acme's, and the id of a request of acme's; the server knows two more keys."""
    key = running.make_key(tenant="acme")
    more = {"foreign": running.make_key(tenant="lotus"), "reader": running.make_key(roles=(Role.READ,))}
    with running.client(key) as client:
        answer = client.post("/v1/chat/completions", json=BODY)
    return running, {"own": key, **more}, answer.headers["x-nextflow-request-id"]


def give(running, key, **body):
    with running.client(key) as client:
        return client.post("/v1/feedback", json=body)


def code_of(response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_a_score_is_kept_under_either_form_of_the_id_and_said_again_takes_its_place(answered):
    running, keys, identity = answered
    first = give(running, keys["own"], request_id=identity, score=2)
    assert first.json() == {"object": "feedback", "request_id": identity, "corrected_is_kept": False}
    again = give(running, keys["own"], request_id=f"chatcmpl-{identity}", score=4, corrected=None)
    assert again.status_code == 200
    assert [kept.score for kept in running.orchestrator.request(identity).feedback] == [4]


def test_a_better_answer_is_kept_where_replies_are(serve):
    running = serve({"record": {"mode": "content"}})
    key = running.make_key(tenant="acme")
    with running.client(key) as client:
        identity = client.post("/v1/chat/completions", json=BODY).headers["x-nextflow-request-id"]
    assert give(running, key, request_id=identity, corrected="Xin chào!").json()["corrected_is_kept"]
    content = running.orchestrator.content(identity)
    assert content.corrected == "Xin chào!"


def test_another_tenants_request_is_as_one_that_never_was(answered):
    running, keys, identity = answered
    theirs = give(running, keys["foreign"], request_id=identity, score=1)
    unknown = give(running, keys["foreign"], request_id="0123456789abcdef", score=1)
    assert code_of(theirs) == code_of(unknown) == (404, "request_not_found")
    assert theirs.json() == unknown.json()
    assert running.orchestrator.request(identity).feedback == ()


def test_before_any_request_nothing_is_said_of_files(running, tmp_path):
    response = give(running, running.make_key(), request_id="0123456789abcdef", score=1)
    assert code_of(response) == (404, "request_not_found")
    assert str(tmp_path) not in response.text


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"score": None}, "invalid_value"),
        ({"score": 6}, "invalid_value"),
        ({"score": True}, "invalid_value"),
        ({"score": 4.0}, "invalid_value"),
        ({"score": "4"}, "invalid_value"),
        ({"score": 10**30}, "invalid_value"),
        ({"corrected": " "}, "invalid_value"),
        ({"corrected": ["a"]}, "invalid_value"),
        ({"source": "two\nlines"}, "invalid_value"),
        ({"request_id": None}, "invalid_value"),
        ({"request_id": "../../etc"}, "invalid_value"),
        ({"tenant": "lotus"}, "unknown_parameter"),
    ],
)
def test_what_is_no_feedback_is_refused_and_nothing_is_kept(answered, change, code):
    running, keys, identity = answered
    fields = {"request_id": identity, "score": 4} | change
    assert code_of(give(running, keys["own"], **fields)) == (400, code)
    assert running.orchestrator.request(identity).feedback == ()


def test_it_needs_a_key_that_may_ask(answered):
    running, keys, identity = answered
    assert code_of(give(running, keys["reader"], request_id=identity, score=4)) == (403, "not_allowed")
    assert code_of(give(running, None, request_id=identity, score=4)) == (401, "invalid_api_key")
