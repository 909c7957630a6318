"""Masking."""

import pytest

from orchestrator.config.effective import MASK, masked


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1"),
        ("https://me:pw@host/v1", f"https://{MASK}@host/v1"),
        ("https://host/v1?api_key=abc&x=1", f"https://host/v1?api_key={MASK}&x=1"),
        ("https://host/v1?a=1&TOKEN=abc#end", f"https://host/v1?a=1&TOKEN={MASK}#end"),
        ("write to me@example.com", "write to me@example.com"),
    ],
)
def test_credentials_inside_addresses_are_masked(address, shown):
    """User, password and keys in a query disappear; everything else stays as it is."""
    assert masked(address) == shown
