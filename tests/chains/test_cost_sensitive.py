"""Bulk work: one of the caller's labels, from the cheapest model that is good enough."""

import pytest
from pydantic import ValidationError

from chains import BulkItem, cost_sensitive
from tests.chains.samples import ITEM


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_labels_are_part_of_the_schema(orchestrator, server, language):
    assert cost_sensitive(orchestrator, language=language).invoke(ITEM).label in ITEM.labels
    schema = server.requests[0].body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["label"]["enum"] == list(ITEM.labels)


def test_labels_are_some_and_differ():
    with pytest.raises(ValidationError, match="must differ"):
        BulkItem(text="x", labels=("a", "a"))
    with pytest.raises(ValidationError, match="at least 1"):
        BulkItem(text="x", labels=())
