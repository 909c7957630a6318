"""What a request asks of a model beyond text."""

from collections.abc import Mapping

from orchestrator.catalog.models import Capability
from orchestrator.core.request import ChatRequest


def needs_of(request: ChatRequest) -> frozenset[Capability]:
    """Return what a request asks of a model beyond text."""
    needs: set[Capability] = set()
    if request.sampling.tools:
        needs.add(Capability.TOOLS)
    kind = (request.sampling.response_format or {}).get("type")
    if kind == "json_schema":
        needs.add(Capability.STRUCTURED_OUTPUT)
    by_part = {"image_url": Capability.VISION, "input_audio": Capability.AUDIO, "file": Capability.PDF}
    for message in request.messages:
        content = message.get("content")
        if isinstance(content, list | tuple):
            needs.update(
                by_part[part["type"]]
                for part in content
                if isinstance(part, Mapping) and part.get("type") in by_part
            )
    return frozenset(needs)
