"""Models as config.yaml describes them: what they can take and give, how good, how fast, until when."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator

from orchestrator.core.settings import Settings, Share


class ModelClass(StrEnum):
    """The class of a model, from dear to free."""

    PREMIUM = "premium"
    BALANCED = "balanced"
    CHEAP = "cheap"
    EMERGENCY = "emergency"


class Mode(StrEnum):
    """What a model answers with."""

    CHAT = "chat"
    """Words, to messages."""
    EMBEDDING = "embedding"
    """Vectors, of texts."""


class Capability(StrEnum):
    """What a model can take or give beyond text."""

    TOOLS = "tools"
    STRUCTURED_OUTPUT = "structured_output"
    JSON_MODE = "json_mode"
    VISION = "vision"
    AUDIO = "audio"
    PDF = "pdf"
    REASONING = "reasoning"
    STREAMING = "streaming"


_EMBEDDING_KEYS = ("vendor", "mode", "context_tokens", "dimensions", "shortens", "ends")
_NO_WORDS: Mapping[str, Any] = {
    "tier": ModelClass.CHEAP,
    "max_output_tokens": 1,
    "quality": {},
    "quality_source": "vectors are not graded here",
    "speed_tokens_per_s": 1.0,
}
"""What stands in an embedding model for the keys that are about words; nothing reads it."""


def _by_mode(schema: dict[str, Any]) -> None:
    """Require of each mode its own keys, in the JSON schema."""
    chat = schema.pop("required")
    of_embedding = {"properties": {"mode": {"const": Mode.EMBEDDING.value}}, "required": ["mode"]}
    schema["if"] = of_embedding
    schema["then"] = {"required": [*(name for name in chat if name in _EMBEDDING_KEYS), "dimensions"]}
    schema["else"] = {"required": chat}


class ModelSettings(Settings):
    """A model, by our name: what it can do and how good it is at what."""

    model_config = ConfigDict(json_schema_extra=_by_mode)

    vendor: str
    """Who made it."""
    mode: Mode = Mode.CHAT
    """What it answers with: chat or embedding. An embedding model has vendor, context_tokens (of one text),
    dimensions, shortens and ends, and none of the keys below that are about words."""
    dimensions: PositiveInt | None = None
    """How many numbers a vector of an embedding model has."""
    shortens: bool = False
    """An embedding model gives fewer dimensions where a request asks for them."""
    tier: ModelClass
    """Its class: premium, balanced, cheap or emergency."""
    context_tokens: PositiveInt
    """Input and output together."""
    window_tokens: PositiveInt | None = None
    """What its vendor takes, where `context_tokens` is a lower number of your own; so much is held at most
    for a file that does not tell its tokens."""
    max_output_tokens: PositiveInt
    """The most it writes in one answer."""
    reasoning_tokens: NonNegativeInt = 0
    """Room for its reasoning on top of the max_tokens of a request or use case, which are for the words
    of the reply; held and limited as output is. Only for a model with the capability reasoning."""
    capabilities: frozenset[Capability] = frozenset()
    """What it can take or give beyond text."""
    languages: tuple[str, ...] = ("en",)
    """Languages it writes well; an emergency model is asked for replies in these alone."""
    quality: Mapping[str, Share]
    """0 to 1 for each use case."""
    quality_source: Annotated[str, Field(min_length=1)]
    """Where the quality numbers come from, and of which day they are."""
    speed_tokens_per_s: Annotated[float, Field(gt=0)]
    """Output speed to plan with until it is measured."""
    strengths: Mapping[str, str] = {}
    """For each use case it is strong in, why in one sentence."""
    ends: date | None = None
    """The day its vendor switches it off, when known."""

    @model_validator(mode="before")
    @classmethod
    def _says_nothing_of_words(cls, data: Any) -> Any:
        """Fill in what an embedding model has not, and refuse it where it is written."""
        if not isinstance(data, Mapping) or data.get("mode") != Mode.EMBEDDING:
            return data
        for name in data:
            if name in cls.model_fields and name not in _EMBEDDING_KEYS:
                msg = f"'{name}' is about words: a model of mode embedding has {', '.join(_EMBEDDING_KEYS)}"
                raise ValueError(msg)
        return {**_NO_WORDS, **data}

    @property
    def written_fields(self) -> tuple[str, ...]:
        """Return the names that may be written of it: what is filled in of an embedding model may not."""
        names = type(self).model_fields
        return tuple(name for name in names if self.mode is not Mode.EMBEDDING or name in _EMBEDDING_KEYS)

    @model_validator(mode="after")
    def _has_dimensions(self) -> Self:
        if self.mode is Mode.EMBEDDING and self.dimensions is None:
            msg = "a model of mode embedding needs 'dimensions', how many numbers its vectors have"
            raise ValueError(msg)
        if self.mode is Mode.CHAT and (self.dimensions is not None or self.shortens):
            msg = "'dimensions' and 'shortens' are for a model of mode embedding"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _leaves_room_for_words(self) -> Self:
        if self.reasoning_tokens and Capability.REASONING not in self.capabilities:
            msg = "reasoning_tokens is for a model with the capability 'reasoning'"
            raise ValueError(msg)
        if self.reasoning_tokens >= self.max_output_tokens:
            msg = "reasoning_tokens must leave room for words: less than max_output_tokens"
            raise ValueError(msg)
        return self

    @property
    def most_tokens(self) -> int:
        """Return the most tokens that its vendor can read of a prompt."""
        return max(self.context_tokens, self.window_tokens or 0)
