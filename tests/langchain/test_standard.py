"""LangChain's own suites, unit and integration, against a local server that speaks the wire formats.

What they skip, and why: `test_init_from_env` and `test_serdes`, because the chat model is made by
an orchestrator, which lives in a process and is configured by a file; `test_audio_inputs`, because
no model of config.yaml takes audio; `test_stream_time`, because it replays recordings of one vendor.
"""

import base64
from typing import Any

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from orchestrator import CacheUse, Orchestrator, OrchestratorChat

ONE_PIXEL_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


SMALL_PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


@pytest.fixture(autouse=True)
def _pictures_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suites download the pictures and documents they send; here they come from this file."""

    def get(url: str, **_: Any) -> httpx.Response:
        content = SMALL_PDF if url.endswith(".pdf") else ONE_PIXEL_PNG
        return httpx.Response(200, content=content, request=httpx.Request("GET", url))

    monkeypatch.setattr(httpx, "get", get)


class _Ours:
    """What both suites are told of our chat model."""

    orchestrator: Orchestrator

    @pytest.fixture(autouse=True)
    def _practised(self, practised: Orchestrator) -> None:
        type(self).orchestrator = practised

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return OrchestratorChat

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"orchestrator": self.orchestrator, "use_case": "customer_service", "cache_use": CacheUse.OFF}

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_urls(self) -> bool:
        return True

    @property
    def supports_pdf_inputs(self) -> bool:
        return True

    @property
    def supports_pdf_tool_message(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str | None:
        return "claude-sonnet-5.5"


class TestUnit(_Ours, ChatModelUnitTests):
    """The unit suite."""


class TestIntegration(_Ours, ChatModelIntegrationTests):
    """The integration suite."""
