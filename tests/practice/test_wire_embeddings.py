"""Practice providers embed as the real ones do, by the stock clients' own account."""

import math

import openai
import pytest
from google import genai
from google.genai import types

from orchestrator.practice import Fault, PracticeServer
from orchestrator.practice.wire_embeddings import vector_of

TEXTS = ["Giao hàng mất bao lâu?", "hello"]


@pytest.fixture(scope="module")
def server():
    with PracticeServer() as server:
        yield server


@pytest.fixture
def client(server) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.base_url("openai"), api_key="k", max_retries=0)


def cosine(first: str, second: str) -> float:
    pairs = zip(vector_of(first, 256), vector_of(second, 256), strict=True)
    return sum(one * other for one, other in pairs)


def test_a_vector_is_the_texts_own_of_length_1_and_near_texts_with_the_same_words() -> None:
    assert vector_of("Xin chào", 64) == vector_of("Xin chào", 64) != vector_of("Tạm biệt", 64)
    assert math.isclose(sum(number**2 for number in vector_of("...", 64)), 1.0, rel_tol=1e-5)
    near = cosine("giao hàng mất bao lâu", "bao lâu thì giao hàng")
    assert near > 0.5 > cosine("giao hàng mất bao lâu", "reset my password")


@pytest.mark.parametrize("form", ["float", "base64"])
def test_openais_client_gets_its_vectors_and_is_billed_for_the_input(server, client, form) -> None:
    server.bill.clear()
    reply = client.embeddings.create(
        model="text-embedding-3-small", input=TEXTS, dimensions=16, encoding_format=form
    )
    vectors = [each.embedding for each in reply.data]
    if form == "base64":
        assert all(isinstance(vector, str) for vector in vectors)
    else:
        assert vectors == [list(vector_of(text, 16)) for text in TEXTS]
    charge = server.bill.charges[-1]
    assert (charge.input_tokens, charge.output_tokens) == (reply.usage.prompt_tokens, 0)


def test_googles_client_gets_its_vectors(server) -> None:
    options = types.HttpOptions(base_url=server.base_url("google").removesuffix("/v1beta"))
    client = genai.Client(api_key="k", http_options=options)
    config = types.EmbedContentConfig(output_dimensionality=8)
    reply = client.models.embed_content(model="gemini-embedding-001", contents=TEXTS, config=config)
    assert [each.values for each in reply.embeddings] == [list(vector_of(text, 8)) for text in TEXTS]


@pytest.mark.parametrize(
    "fields",
    [
        {"input": []},
        {"input": ""},
        {"input": [[1, 2]]},
        {"input": ["a"] * 2049},
        {"dimensions": 1537},
        {"encoding_format": "hex"},
    ],
)
def test_what_openai_refuses_is_refused(server, client, fields) -> None:
    count = server.bill.count()
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(**{"model": "text-embedding-3-small", "input": "a", **fields})
    assert server.bill.count() == count


@pytest.mark.parametrize(
    ("vectors", "sizes"), [("missing", [8]), ("extra", [8, 8, 8]), ("short", [7, 8]), ("nan", [8, 8])]
)
def test_a_fault_of_the_vectors_waits_for_embeddings(server, client, vectors, sizes) -> None:
    server.faults.add(Fault.parse(f"openai:odd_vectors={vectors},times=1"))
    chat = client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hi"}])
    assert chat.choices[0].message.content
    reply = client.embeddings.create(
        model="text-embedding-3-small", input=TEXTS, dimensions=8, encoding_format="float"
    )
    assert [len(each.embedding) for each in reply.data] == sizes
    assert not server.faults.waiting
    assert str(Fault("openai", "odd_vectors", vectors="nan")) == "openai:odd_vectors=nan"
    with pytest.raises(ValueError, match="unknown fault of vectors"):
        Fault.parse("openai:odd_vectors=odd")
