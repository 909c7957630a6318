"""Clients of the openai SDK without what they take from the environment.

`OPENAI_ORG_ID`, `OPENAI_PROJECT_ID` and `OPENAI_CUSTOM_HEADERS` are meant for OpenAI or for somebody's
gateway. The SDK sends them to every address, and so the key of a gateway to each provider of its format.
"""

from typing import Any


def from_no_environment(client: Any) -> None:
    """Let a client of the SDK send no account, and no headers but its own."""
    client.organization = client.project = None
    client._custom_headers = {}  # noqa: SLF001 -- what it was made with and the environment's, as one
