"""Which way an orchestrator of a test takes to its providers."""

import pytest

from orchestrator.providers.litellm.loading import load_litellm
from tests.support.ways import open_litellm_transport


@pytest.fixture
def way() -> str:
    """The usual one: our own wire."""
    return "wire"


@pytest.fixture(autouse=True)
def _sent_that_way(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "litellm":
        # Its first call would load it, within the deadline of a request.
        load_litellm()
        monkeypatch.setattr("orchestrator.client.open_transport", open_litellm_transport)
