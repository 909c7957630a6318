"""The wire of embeddings: what each provider is sent, and that no vector is believed which is not whole."""

import base64
import math
from array import array

import orjson
import pytest

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.catalog.models import Mode
from orchestrator.core.embedding import EmbeddingRequest
from orchestrator.core.failures import FailureKind
from orchestrator.core.provider_answer import UnreadableAnswerError
from orchestrator.core.secret_values import SecretText
from orchestrator.providers.wire.building import wire_request_of
from orchestrator.providers.wire.embedding_format import read_embeddings
from orchestrator.providers.wire.formats import FORMATS
from orchestrator.providers.wire.outbound import OPENAI_URL, OutboundRequest

TEXTS = ("Xin chào", "hello")
VECTORS = ((0.5, -0.25), (0.125, 1.0))
OPENAI = {
    "object": "list",
    "data": [{"object": "embedding", "index": n, "embedding": list(v)} for n, v in enumerate(VECTORS)],
    "model": "text-embedding-3-small",
    "usage": {"prompt_tokens": 7, "total_tokens": 7},
}
GEMINI = {"embeddings": [{"values": list(v)} for v in VECTORS], "usageMetadata": {"promptTokenCount": 7}}


def outbound(kind=ProviderKind.OPENAI, *, url="http://127.0.0.1:1/v1", size=2, shorten_to=None, **fields):
    messages = tuple({"role": "user", "content": text} for text in TEXTS)
    return OutboundRequest(
        kind, "m", messages, 0, url, SecretText("key"), vector_size=size, shorten_to=shorten_to, **fields
    )


def read(data, kind=ProviderKind.OPENAI, **fields):
    body = data if isinstance(data, bytes) else orjson.dumps(data)
    return read_embeddings(body, outbound(kind, **fields), FORMATS[kind].embedding)


def as_base64(vector) -> str:
    return base64.b64encode(array("f", vector).tobytes()).decode()


def test_each_format_is_written_as_its_provider_reads_it() -> None:
    openai = wire_request_of(outbound(url=OPENAI_URL, shorten_to=2))
    assert openai.url == "https://api.openai.com/v1/embeddings"
    assert orjson.loads(openai.body) == {
        "model": "m", "input": list(TEXTS), "dimensions": 2, "encoding_format": "base64",
    }  # fmt: skip
    assert orjson.loads(wire_request_of(outbound()).body) == {"model": "m", "input": list(TEXTS)}
    gemini = wire_request_of(outbound(ProviderKind.GOOGLE, url="http://g/v1beta", shorten_to=2))
    assert gemini.url == "http://g/v1beta/models/m:batchEmbedContents"
    assert gemini.headers["x-goog-api-key"] == "key"
    part = {"model": "models/m", "outputDimensionality": 2}
    assert orjson.loads(gemini.body) == {
        "requests": [{**part, "content": {"parts": [{"text": text}]}} for text in TEXTS]
    }


def test_openrouter_is_told_the_most_that_a_token_may_cost(make_config) -> None:
    place = make_config().catalog.named("openrouter/text-embedding-3-small", mode=Mode.EMBEDDING)[0]
    request = EmbeddingRequest.of(TEXTS, use_case="embedding", dimensions=1536)
    sent = OutboundRequest.to(place, request, max_tokens=0, price_cap=place.price.dearest)
    assert (sent.vector_size, sent.shorten_to) == (1536, None)
    body = orjson.loads(wire_request_of(sent).body)
    assert body["provider"] == {"max_price": {"prompt": 0.02, "completion": 0.0, "request": 0}}
    assert "plugins" not in body


@pytest.mark.parametrize(("data", "kind"), [(OPENAI, ProviderKind.OPENAI), (GEMINI, ProviderKind.GOOGLE)])
def test_vectors_and_tokens_are_read(data, kind) -> None:
    answer = read(data, kind)
    assert answer.vectors == VECTORS
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.estimated) == (7, 0, False)


def test_base64_integers_and_another_order_are_read_too() -> None:
    encoded = [
        {"index": 0, "embedding": as_base64(VECTORS[0])},
        {"embedding": as_base64(VECTORS[1]), "index": 1},
    ]
    assert read({"data": encoded}).vectors == VECTORS
    assert read({**OPENAI, "data": OPENAI["data"][::-1]}).vectors == VECTORS
    assert read({"data": [{"embedding": [1, 0]}, {"embedding": [0, 1]}]}).vectors == ((1.0, 0.0), (0.0, 1.0))


@pytest.mark.parametrize(
    "laid_out",
    [
        lambda text: text.rstrip("="),
        lambda text: "\r\n".join(text[at : at + 4] for at in range(0, len(text), 4)) + "\n",
        lambda text: text.replace("+", "-").replace("/", "_"),
    ],
    ids=["unpadded", "lines", "alphabet of addresses"],
)
def test_base64_is_read_however_it_is_laid_out(laid_out) -> None:
    """The tokens are paid for, and no other bytes can be meant."""
    vectors = ((-0.944, -0.541), (0.5, 0.25))
    texts = [as_base64(vector) for vector in vectors]
    assert {"+", "/", "="} <= set("".join(texts))
    read_so = read({"data": [{"embedding": laid_out(text)} for text in texts]}).vectors
    assert read_so == read({"data": [{"embedding": text} for text in texts]}).vectors


@pytest.mark.parametrize("indexes", [("1", "0"), (1.0, 0.0), (1, "0")])
def test_an_index_written_otherwise_is_one(indexes) -> None:
    second, first = indexes
    data = [{"index": second, "embedding": [1.0, 0.5]}, {"index": first, "embedding": [0.0, 0.5]}]
    assert read({"data": data}).vectors == ((0.0, 0.5), (1.0, 0.5))
    without = [{**each, "index": None} for each in data]
    assert read({"data": without}).vectors == ((1.0, 0.5), (0.0, 0.5))


def test_all_tokens_are_input_and_openrouters_cost_is_believed() -> None:
    usage = {"prompt_tokens": 7, "total_tokens": 9, "cost": 0.0000012, "is_byok": False}
    answer = read({**OPENAI, "usage": usage}, ProviderKind.OPENROUTER)
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (9, 0)
    assert answer.reported_cost_nusd == 1200
    assert read({**OPENAI, "usage": usage}).reported_cost_nusd is None


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 0, "total_tokens": 9}, 9),
        ({"total_tokens": 9}, 9),
        ({"prompt_tokens": 7.0, "total_tokens": 9.0}, 9),
        ({"prompt_tokens": 7, "total_tokens": 5}, 7),
        ({"prompt_tokens": 7, "completion_tokens": 30}, 37),
        ({"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}, 9),
        ({"prompt_tokens": 7, "completion_tokens_details": {"reasoning_tokens": 5}}, 12),
    ],
)
def test_of_counts_that_contradict_each_other_the_dearer_is_booked(usage, tokens) -> None:
    answer = read({**OPENAI, "usage": usage})
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (tokens, 0)
    assert (answer.usage.reasoning_tokens, answer.usage.estimated) == (0, False)
    names = {"prompt_tokens": "promptTokenCount", "total_tokens": "totalTokenCount"}
    if usage.keys() <= names.keys():
        gemini = {names[name]: count for name, count in usage.items()}
        assert read({**GEMINI, "usageMetadata": gemini}, ProviderKind.GOOGLE).usage == answer.usage


@pytest.mark.parametrize(
    "total", ["9000", -1, True, 2**63, 9.5, [9]], ids=["text", "negative", "truth", "huge", "half", "list"]
)
def test_a_total_that_is_none_makes_a_count_an_estimate(total) -> None:
    usage = {"prompt_tokens": 7, "total_tokens": total}
    assert read({**OPENAI, "usage": usage}).usage.estimated
    usage = {"promptTokenCount": 7, "totalTokenCount": total}
    assert read({**GEMINI, "usageMetadata": usage}, ProviderKind.GOOGLE).usage.estimated


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        {"prompt_tokens": None},
        {"prompt_tokens": -1},
        {"prompt_tokens": "7"},
        {"total_tokens": 0},
        7,
    ],
)
def test_a_count_that_is_none_is_an_estimate(usage) -> None:
    assert read({**OPENAI, "usage": usage}).usage.estimated
    assert read({**GEMINI, "usageMetadata": usage}, ProviderKind.GOOGLE).usage.estimated


def entry(vector, index=0):
    return {"index": index, "embedding": vector}


GOOD = entry([0.1, 0.2], 1)
BROKEN = {
    "too few": ({"data": [GOOD]}, "indexes"),
    "none": ({"data": []}, "0 vectors came for 2 texts"),
    "one alone": ({"data": [entry([0.1, 0.2])]}, "1 vectors came for 2 texts"),
    "too many": ({"data": [entry([0.1, 0.2]), GOOD, entry([0.1, 0.2], 2)]}, "3 vectors came for 2"),
    "twice the same place": ({"data": [GOOD, GOOD]}, "indexes"),
    "no list": ({"data": {"0": []}}, "'data' is no list of objects"),
    "no data": ({"object": "list"}, "'data' is no list"),
    "a number too few": ({"data": [entry([0.1]), GOOD]}, "vector 0 has 1 numbers and not 2"),
    "a number too many": ({"data": [entry([0.1, 0.2, 0.3]), GOOD]}, "vector 0 has 3 numbers"),
    "a null": ({"data": [entry([None, 0.2]), GOOD]}, "vector 0 is no list of numbers"),
    "a text": ({"data": [entry(["0.1", 0.2]), GOOD]}, "vector 0 is no list of numbers"),
    "no vector": ({"data": [{"index": 0}, GOOD]}, "vector 0 is no list of numbers"),
    "not a number": (
        b'{"data":[{"embedding":[NaN,1]},{"embedding":[1,2]}]}',
        "vector 0 holds a number that is not",
    ),
    "infinity": (b'{"data":[{"embedding":[1e999,1]},{"embedding":[1,2]}]}', "vector 0"),
    "NaN in base64": (
        {"data": [entry(as_base64((math.nan, 1.0))), GOOD]},
        "vector 0 holds a number that is not",
    ),
    "zeros": ({"data": [entry([0, 0.0]), GOOD]}, "vector 0 is zeros alone"),
    "truths": ({"data": [entry([True, False]), GOOD]}, "vector 0 is no list of numbers"),
    "some indexes": ({"data": [GOOD, {"embedding": [0.1, 0.2]}]}, "indexes"),
    "half a number": ({"data": [entry("AAAA"), GOOD]}, "no base64 of numbers"),
    "no base64": ({"data": [entry("not base64!"), GOOD]}, "no base64 of numbers"),
    "no JSON": (b"<html>", "no"),
    "a list": (b"[]", "not a JSON object"),
}


@pytest.mark.parametrize(("data", "words"), BROKEN.values(), ids=BROKEN)
def test_an_answer_without_every_vector_is_none_and_its_tokens_are_booked(data, words) -> None:
    usage = {"usage": {"prompt_tokens": 7, "total_tokens": 7}}
    with pytest.raises(UnreadableAnswerError, match=words) as broken:
        read({**data, **usage} if isinstance(data, dict) else data)
    assert broken.value.failure.kind is FailureKind.MALFORMED
    if isinstance(data, dict):
        assert broken.value.answer is not None
        assert broken.value.answer.usage.input_tokens == 7


@pytest.mark.parametrize(
    "data",
    [
        {"embeddings": [{"values": [0.1, 0.2]}]},
        {"embeddings": [[], []]},
        {},
        {"embeddings": [{"values": "AAAA"}] * 2},
    ],
)
def test_nor_is_one_of_geminis(data) -> None:
    with pytest.raises(UnreadableAnswerError):
        read(data, ProviderKind.GOOGLE)


@pytest.mark.parametrize(
    "error",
    [
        {"error": {"code": 429, "message": "slow down"}},
        {"errors": [{"code": 429}]},
        {"object": "error", "code": 429, "message": "slow down"},
        {"code": 429, "message": "slow down"},
    ],
)
@pytest.mark.parametrize(
    ("good", "kind"),
    [({}, ProviderKind.OPENAI), (OPENAI, ProviderKind.OPENAI), (GEMINI, ProviderKind.GOOGLE)],
)
def test_an_error_in_a_200_is_what_its_code_says(error, good, kind) -> None:
    if good and set(error) == {"code", "message"}:
        # Beside vectors these may stand for anything.
        assert read({**good, **error}, kind).vectors == VECTORS
        return
    with pytest.raises(UnreadableAnswerError) as failed:
        read({**good, **error}, kind)
    assert failed.value.failure.kind is FailureKind.RATE_LIMITED
