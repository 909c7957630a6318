"""LangChain's own integration suite passes for a client of the practice providers."""

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests

from orchestrator.practice import PracticeServer


class _Suite(ChatModelIntegrationTests):
    """The suite, for one provider's wire format."""

    provider: str
    server: PracticeServer

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _served(cls) -> Iterator[None]:
        with PracticeServer() as server:
            cls.server = server
            yield

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {
            "model": "openai/gpt-4o-mini",
            "base_url": self.server.base_url(self.provider),
            "api_key": "practice",
            "stream_usage": True,
        }

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return "openai/gpt-4o"

    @property
    def supports_image_tool_message(self) -> bool:
        return False


class TestChatOpenAIOnOpenRouter(_Suite):
    """`ChatOpenAI` with OpenRouter's base URL."""

    provider = "openrouter"


class TestChatOpenAIOnOpenAI(_Suite):
    """`ChatOpenAI` with OpenAI's base URL, structured output by JSON schema."""

    provider = "openai"

    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        return {"method": "json_schema"}
