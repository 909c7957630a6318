"""`/v1/embeddings` with the stock clients of others, against practice providers over HTTP."""

import openai
import pytest
from langchain_openai import OpenAIEmbeddings

from orchestrator.core.money import nano_usd
from orchestrator.practice import Fault
from orchestrator.practice.wire_embeddings import vector_of

TEXTS = ["Giao hàng mất bao lâu?", "hello"]


def stock(running, key) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{running.address}/v1", api_key=key, max_retries=0)


@pytest.fixture
def opened(running):
    """A server with a key."""
    return running, running.make_key()


def test_the_stock_client_gets_its_vectors_with_the_replys_facts(opened, practice) -> None:
    running, key = opened
    embeddings = stock(running, key).embeddings.with_raw_response
    # Without a word of its caller the client asks for base64 and reads it.
    for number, form in enumerate((None, "float", "base64"), start=1):
        fields = {} if form is None else {"encoding_format": form}
        raw = embeddings.create(
            model="embedding", input=TEXTS, dimensions=16, user="lan",
            extra_headers={"x-nextflow-cache": "refresh"}, **fields,
        )  # fmt: skip
        reply = raw.parse()
        if form == "base64":
            assert all(isinstance(each.embedding, str) for each in reply.data)
        else:
            assert [tuple(each.embedding) for each in reply.data] == [vector_of(text, 16) for text in TEXTS]
        charge = practice.bill.charges[-1]
        assert practice.bill.count() == number
        assert reply.usage.prompt_tokens == reply.usage.total_tokens == charge.input_tokens
        assert nano_usd(raw.headers["x-nextflow-cost-usd"]) == charge.cost_nusd
    assert (reply.model, reply.object) == ("text-embedding-3-small", "list")
    assert raw.headers["x-nextflow-deployment"] == "openrouter/text-embedding-3-small"
    again = embeddings.create(model="text-embedding-3-small", input=TEXTS[0], dimensions=16)
    assert again.headers["x-nextflow-cache"] == "hit"
    assert practice.bill.count() == number


def test_vectors_count_for_the_run_of_the_header(opened) -> None:
    running, key = opened
    embeddings = stock(running, key).embeddings
    named = {"x-nextflow-run": "thread-42", "x-nextflow-run-max-cost-usd": "0.5"}
    embeddings.create(model="embedding", input=TEXTS, extra_headers=named)
    tiny = {"x-nextflow-run": "tiny", "x-nextflow-run-max-cost-usd": "0.000000001"}
    with pytest.raises(openai.APIStatusError, match="run:tiny"):
        embeddings.create(model="embedding", input="another", extra_headers=tiny)
    with pytest.raises(openai.BadRequestError) as caught:
        embeddings.create(model="embedding", input="a", extra_headers={"x-nextflow-run": "a//b"})
    assert caught.value.param == "x-nextflow-run"
    standing = running.orchestrator.run_standing("thread-42", tenant="acme")
    assert (standing.spent > 0, standing.limit) == (True, nano_usd("0.5"))


def test_langchains_openai_client_works_where_it_sends_text(opened) -> None:
    running, key = opened
    options = {"base_url": f"{running.address}/v1", "api_key": key, "model": "embedding", "dimensions": 16}
    texts = OpenAIEmbeddings(**options, check_embedding_ctx_length=False).embed_documents(TEXTS)
    assert [tuple(vector) for vector in texts] == [vector_of(text, 16) for text in TEXTS]


REFUSED = [
    ({"input": [[15339, 1917]]}, 400, "check_embedding_ctx_length=False"),
    ({"input": [15339]}, 400, "token numbers"),
    ({"input": []}, 400, "no texts"),
    ({"input": ["a", ""]}, 400, "text 1 is empty"),
    ({"input": None}, 400, "'input' is missing"),
    ({"encoding_format": "hex"}, 400, "float, base64"),
    ({"dimensions": "9"}, 400, "dimensions"),
    ({"dimensions": 4000}, 400, "not of 4000"),
    ({"user": 7}, 400, "'user' must be a text"),
    ({"modle": "x"}, 400, "Did you mean 'model'"),
    ({"model": "gpt-6-luna"}, 404, "makes no embeddings"),
    ({"model": "customer_service"}, 400, "answers chats"),
    ({"model": None}, 400, "'model' must be a text"),
    ({"input": ["a"] * 5001}, 413, "more than 5,000 texts"),
    ({"input": "từ " * 9000}, 400, "split it"),
]


def test_what_cannot_be_embedded_is_refused_in_openais_shape(opened, practice) -> None:
    running, key = opened
    with running.client(key) as client:
        for fields, status, words in REFUSED:
            answer = client.post("/v1/embeddings", json={"model": "embedding", "input": "a", **fields})
            assert answer.status_code == status, fields
            error = answer.json()["error"]
            assert words in error["message"]
            if words in {"token numbers", "no texts", "text 1 is empty"}:
                assert error["param"] == "input"
    assert practice.bill.count() == 0


def test_a_chat_with_an_embedding_model_says_what_to_do(opened) -> None:
    running, key = opened
    for model, error in (
        ("embedding", openai.BadRequestError),
        ("gemini-embedding-001", openai.NotFoundError),
    ):
        with pytest.raises(error, match="makes embeddings"):
            stock(running, key).chat.completions.create(
                model=model, messages=[{"role": "user", "content": "a"}]
            )


def test_keys_and_their_use_cases_hold_here_too(opened) -> None:
    running, key = opened
    narrow = running.make_key(use_cases=("customer_service",))
    with pytest.raises(openai.PermissionDeniedError):
        stock(running, narrow).embeddings.create(model="embedding", input="a")
    with pytest.raises(openai.AuthenticationError):
        stock(running, "nfk_wrong").embeddings.create(model="embedding", input="a")
    names = {each.id for each in stock(running, key).models.list()}
    assert {"embedding", "text-embedding-3-small", "google/gemini-embedding-001"} <= names


def test_nobody_answers_and_a_key_repeats(opened, practice) -> None:
    running, key = opened
    headers = {"Idempotency-Key": "k1", "x-nextflow-cache": "off"}
    client = stock(running, key)
    first = client.embeddings.create(model="embedding", input="a", dimensions=8, extra_headers=headers)
    practice.faults.add(Fault("*", "status", status=401))
    again = client.embeddings.create(model="embedding", input="a", dimensions=8, extra_headers=headers)
    assert again.data[0].embedding == first.data[0].embedding
    with pytest.raises(openai.InternalServerError, match="no provider could answer"):
        client.embeddings.create(model="embedding", input="b", dimensions=8)
