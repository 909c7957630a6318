"""Here orchestrators send by LiteLLM alone."""

import pytest


@pytest.fixture
def way() -> str:
    """LiteLLM's, from the first byte to the last."""
    return "litellm"
