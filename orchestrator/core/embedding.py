"""What is asked of an embedding model, and what comes back.

An embedding passes the steps of every request: it is a request whose messages are its texts, and a reply that
has vectors in the place of words. Vectors can be compared only with vectors of the same model and the same
number of dimensions.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from orchestrator.core.errors import InvalidRequestError, about
from orchestrator.core.plain_data import kind_in_words
from orchestrator.core.reply import ChatReply
from orchestrator.core.request import ChatRequest, Message
from orchestrator.core.unknown_names import DEADLINE_HINT, TIMES_OF_OTHERS, hint_for

Vector = tuple[float, ...]
"""The embedding of one text."""

_FIELDS = (
    *("use_case", "model", "tenant", "user", "tags", "dimensions", "max_cost_nusd", "deadline_s"),
    *("profile", "cache", "idempotency_key", "run"),
)
_TAKEN = (*_FIELDS, "max_cost_usd")
"""The last becomes the limit of `run`."""
_TOKENS = (
    "token numbers are not taken, because each model has its own: send the text (LangChain's OpenAIEmbeddings "
    "does so with check_embedding_ctx_length=False)"
)


@dataclass(frozen=True)
class EmbeddingRequest(ChatRequest):
    """Texts of which vectors are asked; build it with `EmbeddingRequest.of`, which checks it."""

    holds_conversation: ClassVar[bool] = False

    dimensions: int | None = None
    """How many numbers a vector is to have; the model's own number when None."""

    @property
    def texts(self) -> tuple[str, ...]:
        """Return the texts, in the order of the vectors."""
        return tuple(message["content"] for message in self.messages)

    @classmethod
    def of(cls, prompt: Any, **overrides: Any) -> Self:
        """Check and build a request from one text or several, and any fields.

        Raises:
            InvalidRequestError: no text, an empty one, what is no text, an unknown field, or a value out of
                range.
        """
        if isinstance(prompt, EmbeddingRequest):
            if overrides:
                msg = "a finished EmbeddingRequest takes no further fields; use dataclasses.replace on it"
                raise InvalidRequestError(msg)
            # Checked again: `dataclasses.replace` may have changed it.
            overrides = {name: getattr(prompt, name) for name in _FIELDS}
            prompt = prompt.texts
        _refuse_unknown(overrides)
        dimensions = overrides.get("dimensions")
        with about("dimensions"):
            if dimensions is not None and (type(dimensions) is not int or dimensions < 1):
                raise InvalidRequestError(
                    f"'dimensions' must be a whole number of at least 1, got {dimensions!r}"
                )
        with about("texts"):
            messages = messages_with(_texts_of(prompt))
        # Not by super(), which a class with slots does not have here.
        request: Self = ChatRequest.of.__func__(cls, messages, **overrides)  # type: ignore[attr-defined]
        return request


def messages_with(texts: Iterable[str]) -> tuple[Message, ...]:
    """Return texts as the messages of an embedding request."""
    return tuple({"role": "user", "content": text} for text in texts)


@dataclass(frozen=True)
class EmbeddingReply(ChatReply):
    """The vectors of a request, all of one model; its `text` is empty."""

    vectors: tuple[Vector, ...] = ()
    """One for each text, in the order of the texts."""
    cached_texts: int = 0
    """How many of the texts had their vector in the cache, and cost nothing."""

    @property
    def dimensions(self) -> int:
        """Return how many numbers each vector has."""
        return len(self.vectors[0]) if self.vectors else 0


def _refuse_unknown(overrides: Mapping[str, Any]) -> None:
    for name in overrides:
        if name not in _TAKEN:
            hint = f". {DEADLINE_HINT}" if name in TIMES_OF_OTHERS else hint_for(name, _TAKEN)
            raise InvalidRequestError(f"an embedding request has no field '{name}'{hint}")


def _texts_of(texts: Any) -> tuple[str, ...]:
    if isinstance(texts, str):
        texts = (texts,)
    if isinstance(texts, bytes | Mapping) or not isinstance(texts, Iterable):
        raise InvalidRequestError(f"texts must be a text or a list of texts, not {kind_in_words(texts)}")
    listed = tuple(texts)
    if not listed:
        raise InvalidRequestError("no texts: give at least one")
    for place, text in enumerate(listed):
        if not isinstance(text, str):
            is_token = isinstance(text, int | list | tuple) and not isinstance(text, bool)
            hint = f"; {_TOKENS}" if is_token else ""
            raise InvalidRequestError(f"text {place} is no text but {kind_in_words(text)}{hint}")
        if not text.strip():
            raise InvalidRequestError(f"text {place} is empty, and no model embeds nothing: leave it out")
        try:
            text.encode()
        except UnicodeEncodeError:
            msg = f"text {place} holds a character that is no valid Unicode, such as half an emoji"
            raise InvalidRequestError(msg) from None
    return listed
