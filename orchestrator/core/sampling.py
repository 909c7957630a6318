"""The parameters of a call that a caller may set, and no others."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from orchestrator.core.plain_data import copied


@dataclass(frozen=True)
class Sampling:
    """The parameters a caller may set; everything else comes from the configuration alone.

    An address, a key or a header in a call would send the configured key elsewhere, so this is
    an allow-list and not a dictionary.
    """

    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    reasoning_effort: str | None = None
    response_format: Mapping[str, Any] | None = None
    tools: tuple[Mapping[str, Any], ...] | None = None
    tool_choice: str | Mapping[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    prompt_cache_key: str | None = None
    """OpenAI's: requests with the same key find the beginning of their prompt in the same cache."""

    def copied(self) -> "Sampling":
        """Return the same parameters, sharing nothing that could be changed."""
        if not self.as_set:
            return self
        values: dict[str, Any] = {
            name: tuple(copied(value)) if isinstance(value, tuple) else copied(value)
            for name, value in self.as_set.items()
        }
        return Sampling(**values)

    @cached_property
    def as_set(self) -> Mapping[str, Any]:
        """Return the parameters that were set; a request is asked for them again and again."""
        return {name: value for name in SAMPLING_NAMES if (value := getattr(self, name)) is not None}

    @property
    def asks_for_json(self) -> bool:
        """Return whether a program reads the answer: JSON, with a schema or without."""
        form = self.response_format
        return form is not None and form.get("type") != "text"

    @property
    def must_call(self) -> bool:
        """Return whether an answer has to call a tool."""
        choice = self.tool_choice
        return bool(self.tools) and (choice == "required" or isinstance(choice, Mapping))

    @property
    def is_kept_whole(self) -> bool:
        """Return whether a program reads the answer, which has no use for half of it."""
        return self.asks_for_json or self.must_call

    def as_wire(self) -> dict[str, Any]:
        """Return the parameters that were set, as a provider takes them."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in self.as_set.items()
        }


SAMPLING_NAMES = tuple(f.name for f in fields(Sampling))
