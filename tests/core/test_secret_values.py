"""A secret, and whatever holds one, is shown masked, copied as itself, and written down nowhere."""

import copy
import dataclasses
import json
import pickle

import pytest
from pydantic import SecretStr, TypeAdapter

from orchestrator.core.secret_values import SecretAddress, SecretData, SecretText, secret_text, secret_texts
from orchestrator.core.settings import ApiKey, HeaderValue, Settings

KEY = "sk-very-secret"


class Holder(Settings):
    api_key: ApiKey
    headers: dict[str, HeaderValue]


@dataclasses.dataclass(frozen=True)
class Envelope:
    holder: Holder
    written: SecretData


@pytest.fixture
def envelope() -> Envelope:
    return Envelope(Holder(api_key=KEY, headers={"X-Team": KEY}), SecretData({"api_key": KEY}))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_holds_a_secret_cannot_be_pickled_and_is_told_what_to_do(envelope, protocol) -> None:
    for held in (
        SecretText(KEY),
        SecretAddress(f"https://h/{KEY}"),
        envelope,
        envelope.holder,
        envelope.written,
    ):
        with pytest.raises(TypeError, match="cannot be pickled.*load config.yaml in each process"):
            pickle.dumps(held, protocol)


def test_no_way_of_looking_at_it_shows_it(envelope) -> None:
    holder = envelope.holder
    looks = [
        envelope, holder, vars(holder), vars(holder.api_key), vars(envelope.written), dataclasses.asdict(envelope),
        dataclasses.astuple(envelope), holder.model_dump(), holder.model_dump_json(), dict(holder),
        TypeAdapter(Envelope).dump_python(envelope), json.dumps(vars(envelope), default=str),
        f"{holder.api_key} {holder.api_key!r} {holder.headers}",
    ]  # fmt: skip
    for look in looks:
        assert KEY not in f"{look} {look!r}"


def test_copies_of_what_holds_a_secret_hold_the_same_one(envelope) -> None:
    for made in (copy.copy, copy.deepcopy):
        assert made(envelope).holder.api_key.get_secret_value() == KEY
    copied = envelope.holder.model_copy(deep=True)
    assert copied == envelope.holder
    assert copied.headers["X-Team"] is envelope.holder.headers["X-Team"]


def test_a_secret_says_its_text_only_to_those_who_ask_for_it() -> None:
    assert (secret_text(None), secret_text(SecretText(KEY)), secret_text(SecretStr(KEY))) == ("", KEY, KEY)
    assert secret_texts({"X-Team": SecretText("a")}) == {"X-Team": "a"}
    assert SecretText(KEY) == SecretText(KEY) != SecretText("other")
    assert SecretAddress("https://u:p@host:1/path?key=x").host == "https://host:1"
