"""Practice providers go on with an answer that broke off, in the manner that is asked of them."""

import pytest

from orchestrator.practice import PracticeServer, Scripted

ANSWER = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
BEGUN = " ".join(ANSWER.split()[:16])
REST = " seventeen"
PROVIDERS = ["openrouter", "openai", "google"]


@pytest.fixture
def server():
    with PracticeServer(answerer=Scripted(matched={"count": ANSWER})) as running:
        yield running


def body_of(provider: str, quoted: str = "fifteen sixteen") -> dict:
    turns = [("user", "count"), ("assistant", BEGUN), ("user", f"Go on, and begin with:\n{quoted}\nplease")]
    if provider != "google":
        return {"messages": [{"role": role, "content": text} for role, text in turns]}
    roles = {"assistant": "model"}
    return {"contents": [{"role": roles.get(role, role), "parts": [{"text": text}]} for role, text in turns]}


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("manner", "text"),
    [
        ("anchor", f"fifteen sixteen{REST}"),
        ("tail", " ".join(ANSWER.split()[2:])),
        ("straight", REST.strip()),
        ("restart", ANSWER),
        ("afresh", ANSWER),
        ("other", f"Certainly! Here it is in other words: {ANSWER}"),
    ],
)
def test_a_begun_answer_is_gone_on_with(caller, provider, manner, text):
    caller.server.faults.add(f"{provider}:continues={manner}")
    assert caller.text_of(caller.post(provider, stream=True, body=body_of(provider)).text, provider) == text


def test_without_a_fault_it_begins_with_what_was_quoted(caller):
    text = caller.post("openai", stream=True, body=body_of("openai", "fourteen fifteen sixteen")).text
    assert caller.text_of(text, "openai") == f"fourteen fifteen sixteen{REST}"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_model_may_refuse_a_begun_answer(caller, provider):
    caller.server.faults.add(f"{provider}:continues=refuse")
    assert caller.post(provider, stream=True, body=body_of(provider)).status_code == 400
    assert caller.post(provider, stream=True).status_code == 200


def test_an_ordinary_conversation_is_answered_and_uses_no_such_fault(caller):
    """Its last turn does not quote the end of the answer before it."""
    caller.server.faults.add("openai:continues=other,times=1")
    turns = [("user", "count"), ("assistant", ANSWER), ("user", "count to seventeen again")]
    body = {"messages": [{"role": role, "content": text} for role, text in turns]}
    assert caller.text_of(caller.post("openai", stream=True, body=body).text, "openai") == ANSWER
    assert len(caller.server.faults) == 1


def test_a_scripted_reply_that_broke_off_is_the_one_that_goes_on():
    script = Scripted([ANSWER, "another"])
    with PracticeServer(answerer=script) as server:
        import httpx

        url = f"{server.base_url('openai')}/chat/completions"
        first = {"model": "m", "messages": [{"role": "user", "content": "say it"}]}
        assert httpx.post(url, json=first).json()["choices"][0]["message"]["content"] == ANSWER
        body = {"model": "m", **body_of("openai")}
        assert (
            httpx.post(url, json=body).json()["choices"][0]["message"]["content"] == f"fifteen sixteen{REST}"
        )
        assert httpx.post(url, json=first).json()["choices"][0]["message"]["content"] == "another"


def test_another_models_beginning_is_gone_on_with_by_counting_its_words():
    """The rules name the model that answers, so no two models begin alike."""
    with PracticeServer() as server:
        import httpx

        begun = "This is a practice answer by somebody-else. The question"
        turns = [("user", "Hi"), ("assistant", begun), ("user", "Begin with:\nThe question")]
        body = {"model": "m", "messages": [{"role": role, "content": text} for role, text in turns]}
        reply = httpx.post(f"{server.base_url('openai')}/chat/completions", json=body).json()
    assert reply["choices"][0]["message"]["content"] == "The question was: Hi"
