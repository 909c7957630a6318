"""Which of OpenRouter's hosts may serve: merged towards the request, and never less strict with data."""

import pytest
from pydantic import ValidationError

from orchestrator.catalog.openrouter_preferences import NO_PREFERENCES, OpenRouterPreferences, merged

DENY = OpenRouterPreferences(data_collection="deny", zdr=True, only=("together",), sort="price")


def test_the_nearest_to_the_request_wins_and_data_stays_protected() -> None:
    nearer = OpenRouterPreferences(data_collection="allow", zdr=False, only=("deepinfra/turbo",))
    whole = merged((DENY, NO_PREFERENCES, nearer))
    assert whole.as_wire() == {
        "data_collection": "deny",
        "zdr": True,
        "only": ["deepinfra/turbo"],
        "sort": "price",
    }
    assert merged((nearer, DENY)).as_wire()["data_collection"] == "deny"
    assert merged(()).as_wire() == {}


def test_people_read_what_is_set() -> None:
    assert str(DENY) == "only together; sort price; data_collection deny; zdr true"
    assert not str(NO_PREFERENCES)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sort": "speed"},
        {"only": []},
        {"order": ["together", "together"]},
        {"only": ["together"], "ignore": ["together"]},
        {"order": ["https://evil/"]},
        {"data_collection": "no"},
        {"zdr": 1.5},
        {"quantizations": ["fp8"]},
    ],
)
def test_what_openrouter_would_not_understand_is_refused(wrong) -> None:
    with pytest.raises(ValidationError):
        OpenRouterPreferences(**wrong)
