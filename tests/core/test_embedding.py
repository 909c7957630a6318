"""A request for embeddings is checked before anything is asked, and each error names the text."""

import math
from dataclasses import replace

import pytest

from orchestrator.core.embedding import EmbeddingReply, EmbeddingRequest
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.money import nano_usd
from orchestrator.core.reply import Usage
from orchestrator.core.run import Run


def request_of(texts, **fields) -> EmbeddingRequest:
    return EmbeddingRequest.of(texts, **{"use_case": "embedding", **fields})


def test_one_text_and_a_list_and_an_iterator_are_texts() -> None:
    assert request_of("Xin chào").texts == ("Xin chào",)
    assert request_of(["a", "b"]).texts == request_of(iter("ab")).texts == ("a", "b")


def test_a_request_names_its_payer_as_every_request_does() -> None:
    request = request_of("a", tenant="acme", user="lan", tags=["trial"], dimensions=256, idempotency_key="k")
    assert (request.tenant, request.user, request.tags) == ("acme", "lan", ("trial",))
    assert (request.dimensions, request.idempotency_key) == (256, "k")
    assert EmbeddingRequest.of(request) == request
    in_run = request_of("a", run="thread-42", max_cost_usd=0.5)
    assert in_run.run == Run("thread-42", nano_usd("0.5"))
    assert EmbeddingRequest.of(in_run) == in_run


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ([], "no texts: give at least one"),
        ("", "text 0 is empty"),
        (["a", " \n"], "text 1 is empty"),
        (["a", None], "text 1 is no text but null"),
        (["a", b"b"], "text 1 is no text but bytes"),
        (b"a", "not bytes"),
        ({"a": 1}, "not an object"),
        (7, "not a number"),
        ([[15339, 1917]], "token numbers are not taken.*check_embedding_ctx_length=False"),
        ([15339, 1917], "text 0 is no text but a number; token numbers are not taken"),
        (["a", "\ud800"], "text 1 holds a character that is no valid Unicode"),
    ],
)
def test_what_is_no_text_is_refused_with_its_place(texts, words) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        request_of(texts)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"dimensions": 0}, "'dimensions' must be a whole number of at least 1"),
        ({"dimensions": 2.5}, "'dimensions'"),
        ({"dimensions": True}, "'dimensions'"),
        ({"dimension": 256}, "Did you mean 'dimensions'"),
        ({"max_cost_usd": 1}, "name it with 'run', or limit this one request with 'max_cost_nusd'"),
        ({"max_cost": 1}, "Did you mean 'max_cost_usd'"),
        ({"temperature": 1}, "no field 'temperature'"),
        ({"max_tokens": 5}, "no field 'max_tokens'"),
        ({"graceful": True}, "no field 'graceful'"),
        ({"api_key": "sk"}, "no field 'api_key'"),
        ({"timeout": 5}, "no field 'timeout'. Did you mean 'deadline_s'"),
        ({"deadline_s": math.inf}, "deadline_s"),
        ({"tenant": "a*"}, "tenant"),
    ],
)
def test_a_field_that_no_embedding_has_is_refused(fields, words) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        request_of("a", **fields)


def test_a_finished_request_is_checked_again_and_takes_no_further_fields() -> None:
    with pytest.raises(InvalidRequestError, match="takes no further fields"):
        EmbeddingRequest.of(request_of("a"), tenant="acme")
    with pytest.raises(InvalidRequestError, match="dimensions"):
        EmbeddingRequest.of(replace(request_of("a"), dimensions=-1))


def test_a_reply_tells_how_many_numbers_its_vectors_have() -> None:
    reply = EmbeddingReply("id", "", "m", "p/m", "p", Usage(), 0, "stop", vectors=((0.1, 0.2), (0.3, 0.4)))  # type: ignore[arg-type]
    assert reply.dimensions == 2
    assert replace(reply, vectors=()).dimensions == 0
