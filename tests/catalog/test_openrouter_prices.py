"""The live list: what its entries mean, and a file that is whole or the one before."""

import os
from datetime import UTC, date, datetime

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.catalog.openrouter_prices import (
    MalformedEntryError,
    PriceListError,
    checked_list,
    keep_list,
    listed_model,
    read_list,
)
from orchestrator.catalog.rates import BOUND_TOKENS_PER_PICTURE
from orchestrator.core.reply import Usage

DAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
PRICING = {"prompt": "0.000002", "completion": "0.00001"}


def entry(**pricing):
    return {"id": "acme/m", "pricing": {**PRICING, **pricing}}


def price_of(**pricing):
    return listed_model(entry(**pricing), day=DAY).price


def test_dollars_per_token_become_nano_dollars_per_million():
    price = price_of(input_cache_read="0.0000001", input_cache_write="0.0000025")
    assert (price.input, price.output) == (2_000_000_000, 10_000_000_000)
    assert (price.cached_input, price.cache_write) == (100_000_000, 2_500_000_000)
    assert price.version == "OpenRouter's list@2026-11-23"


def test_a_free_model_costs_nothing_because_the_list_says_so():
    price = price_of(prompt="0", completion="0")
    assert price.bound_of(input_tokens=10**6, output_tokens=10**6) == 0


def test_reasoning_is_output_at_the_dearer_of_both_prices():
    assert price_of(internal_reasoning="0.00002").output == 20_000_000_000
    assert price_of(internal_reasoning="0.000001").output == 10_000_000_000


def test_a_fee_for_each_picture_is_held_with_the_smallest_of_them():
    """`image` is dollars for a whole picture; of tokens it is held at no fewer than the bound of a small one."""
    price = price_of(image="0.04")
    smallest = price.bound_of(
        input_tokens=BOUND_TOKENS_PER_PICTURE, output_tokens=0, file_tokens=BOUND_TOKENS_PER_PICTURE
    )
    assert smallest >= 40_000_000
    assert price.cost_of(Usage(1_000, 0)) == 1_000 * 2_000
    assert price_of(image="0.000002").image_input is None
    assert price_of(image_token="0.000003").image_input == 3_000_000_000


def test_an_override_for_long_prompts_is_a_tier():
    """What it does not name costs as before; the threshold itself is already in the tier."""
    price = price_of(overrides=[{"min_prompt_tokens": 200_000, "prompt": "0.000004"}])
    assert price.cost_of(Usage(199_999, 0)) == 199_999 * 2_000
    assert price.cost_of(Usage(200_000, 1)) == 200_000 * 4_000 + 10_000


@pytest.mark.parametrize("condition", [{"utc_start": "01:00", "utc_end": "09:00"}, {"moon": "full"}, {}])
def test_an_override_that_hangs_on_anything_else_is_taken_at_the_dearer_price(condition):
    dearer = price_of(overrides=[{**condition, "prompt": "0.000006", "completion": "0.000001"}])
    assert (dearer.input, dearer.output) == (6_000_000_000, 10_000_000_000)


def test_a_model_that_will_end_says_when():
    assert listed_model({**entry(), "expiration_date": "2026-12-31"}, day=DAY).ends == date(2026, 12, 31)
    assert listed_model({**entry(), "expiration_date": None}, day=DAY).ends is None
    assert listed_model({**entry(), "expiration_date": "soon"}, day=DAY).ends is None


MALFORMED = [
    ({"pricing": None}, "no 'pricing'"),
    ({"pricing": {"prompt": "0.1"}}, "'prompt' or 'completion' is missing"),
    (entry(prompt="-1"), "prompt: '-1' is no price"),
    (entry(prompt="cheap"), "prompt: 'cheap' is no price"),
    (entry(prompt=True), "prompt: True is no price"),
    (entry(prompt="NaN"), "is no price"),
    (entry(completion="Infinity"), "is no price"),
    (entry(completion="0.15"), "no price in dollars per token"),
    (entry(request="0.01"), "charges for each request"),
    (entry(overrides="many"), "'overrides' is no list"),
    (entry(overrides=[{"min_prompt_tokens": "many"}]), "no number of tokens"),
    (entry(overrides=[{"min_prompt_tokens": 5, "prompt": "x"}]), "overrides: prompt"),
]


@pytest.mark.parametrize(("malformed", "says"), MALFORMED)
def test_an_entry_without_a_usable_price_says_why(malformed, says):
    with pytest.raises(MalformedEntryError, match=says):
        listed_model(malformed, day=DAY)


def test_a_malformed_entry_is_named_and_the_others_stay():
    entries = [entry(), 7, {"pricing": PRICING}, {**entry(prompt="-1"), "id": "acme/auto"}]
    kept, skipped = checked_list(entries, fetched_at=NOW, provider="openrouter")
    assert list(kept.models) == ["acme/m"]
    assert [entry.model for entry in skipped] == ["entry 2", "entry 3", "acme/auto"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "pricing", "prompt", "completion", "request", "overrides", "min_prompt_tokens"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=40)
@given(st.lists(json_values, max_size=4))
def test_whatever_a_list_holds_every_entry_is_kept_or_named(entries):
    kept, skipped = checked_list(entries, fetched_at=NOW, provider="openrouter")
    names = {entry["id"] for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)}
    assert set(kept.models) <= names
    assert len(kept.models) + len(skipped) <= len(entries)


def test_a_kept_list_is_read_as_it_was(tmp_path):
    kept, _ = checked_list(
        [entry(overrides=[{"min_prompt_tokens": 9, "prompt": "1e-5"}])], fetched_at=NOW, provider="or"
    )
    path = tmp_path / "prices" / "list.json"
    keep_list(kept, path)
    kept_list = read_list(path)
    assert kept_list == kept
    assert kept_list.model("acme/m") == kept.model("acme/m")
    assert kept_list.model("acme/other") is None
    assert kept_list.age_days(date(2026, 11, 30)) == 7
    assert [file.name for file in path.parent.iterdir()] == ["list.json"]


def test_no_list_is_none(tmp_path):
    assert read_list(tmp_path / "none.json") is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"7", b'{"format": 2}', b'{"format": 1}', b'{"format":1,"fetched_at":"x","provider":"o","models":{}}',
     b'{"format":1,"fetched_at":"2026-11-23T00:00:00","provider":"o","models":{}}',
     b'{"format":1,"fetched_at":"2026-11-23T00:00:00+00:00","provider":"o","models":[]}', b"\xff\xfe"],
)  # fmt: skip
def test_a_damaged_list_says_what_to_do(tmp_path, content):
    path = tmp_path / "list.json"
    path.write_bytes(content)
    with pytest.raises(PriceListError, match="'orchestrator prices refresh' writes it anew"):
        read_list(path)


def test_a_list_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    path = tmp_path / "list.json"
    kept, _ = checked_list([entry()], fetched_at=NOW, provider="or")
    keep_list(kept, path)
    before = path.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(PriceListError, match="No space left"):
        keep_list(kept, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["list.json"]
    assert orjson.loads(before)["provider"] == "or"


@pytest.mark.skipif(os.name == "nt", reason="there are no such rights")
def test_a_list_that_anybody_may_have_left_there_is_not_believed(tmp_path):
    """Prices of zero would open every budget."""
    (tmp_path / "list.json").write_bytes(b"{}")
    tmp_path.chmod(0o777)
    with pytest.raises(PriceListError, match="every user of this machine may write into its folder"):
        read_list(tmp_path / "list.json")
