"""The two ways to providers, for tests of what both must do."""

import pytest

from orchestrator.catalog.catalog import Catalog
from orchestrator.providers.litellm.router import CatalogRouter
from orchestrator.providers.litellm.transport import LiteLLMTransport
from orchestrator.providers.local.model import LocalModel
from orchestrator.providers.opening import Connections

BOTH_WAYS = pytest.mark.parametrize("way", ["wire", "litellm"])
"""For the fixture `way` of `tests/providers/conftest.py`."""


def open_litellm_transport(
    catalog: Catalog, local_model: LocalModel, connections: Connections
) -> LiteLLMTransport:
    """As `open_transport`, with everything sent by LiteLLM."""
    router = CatalogRouter(catalog)
    return LiteLLMTransport(router, local_model=local_model, connections=connections.litellm)
