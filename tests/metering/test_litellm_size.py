"""What bounds a call is read as LiteLLM would send it, and the largest of several limits counts."""

import pytest
from pydantic import BaseModel

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.errors import InvalidRequestError
from orchestrator.metering.litellm_size import size_of

ASKED = {"messages": [{"role": "user", "content": "Đơn đâu?"}], "max_tokens": 40}


class Order(BaseModel):
    """An order of a customer."""

    number: int


def size(**more):
    return size_of(ProviderKind.OPENAI, {**ASKED, **more})


def test_the_largest_of_two_limits_counts():
    assert size().max_tokens == 40
    assert size(max_completion_tokens=90).max_tokens == 90


def test_without_a_number_of_answers_there_is_one():
    assert (size().answers, size(n=None).answers, size(n=3).answers) == (1, 1, 3)


@pytest.mark.parametrize("number", [True, -1, 1.5, "4"])
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "n"])
def test_what_is_no_whole_number_is_refused_by_name(name, number):
    with pytest.raises(InvalidRequestError, match=f"'{name}' must be a whole number"):
        size(**{name: number})


def test_a_class_of_pydantics_counts_as_the_schema_that_is_sent():
    (schema,) = size(response_format=Order).declared
    assert "number" in str(schema)
    assert "An order of a customer" in str(schema)


def test_a_picture_that_litellm_would_fetch_for_google_is_refused():
    picture = [{"type": "image_url", "image_url": {"url": "http://127.0.0.1/secret.png"}}]
    asked = {**ASKED, "messages": [{"role": "user", "content": picture}]}
    with pytest.raises(InvalidRequestError):
        size_of(ProviderKind.GOOGLE, asked)
    assert size_of(ProviderKind.OPENAI, asked).messages[0]["content"] == picture
