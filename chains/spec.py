"""What is known of a chain without building it: for the command line, the tests and the docs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chains.fields import ChainInput, ChainOutput
from chains.runnables import StructuredChain, TextChain


@dataclass(frozen=True, slots=True)
class ChainSpec:
    """One use case: its name, its types, and how its chain is built."""

    name: str
    """The use case in config.yaml."""
    description: str
    input_model: type[ChainInput]
    output_model: type[ChainOutput]
    build: Callable[..., StructuredChain[Any, Any]]
    """`build(orchestrator, *, tenant="default", language="vi", **overrides)`;
    `overrides` as in `Orchestrator.complete`."""
    build_text: Callable[..., TextChain[Any, Any]] | None = None
    """The same for the form that streams text; None where there is none."""
