"""The wire format of Azure OpenAI: OpenAI's, under the name of a deployment, with what its filters say."""

from orchestrator.practice.json_types import JsonObject
from orchestrator.practice.wire import Envelope, WireOutcome
from orchestrator.practice.wire_openai import ChatStream, openai_head, openai_reply, sse_event

_SAFE = {
    name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")
}
_PROMPT_RESULTS = [{"prompt_index": 0, "content_filter_results": _SAFE}]


def deployment_of(path: str) -> str | None:
    """Return the deployment that a path of the API asks for an answer, None where it asks for none."""
    name = path.removeprefix("openai/deployments/").removesuffix("/chat/completions")
    is_chat = path == f"openai/deployments/{name}/chat/completions"
    return name if is_chat and name and "/" not in name else None


def azure_reply(envelope: Envelope, outcome: WireOutcome) -> JsonObject:
    """Return the body of an answer in one piece."""
    reply = openai_reply(envelope, outcome)
    reply["prompt_filter_results"] = _PROMPT_RESULTS
    for choice in reply["choices"]:
        choice["content_filter_results"] = _SAFE
    return reply


class AzureStream(ChatStream):
    """Writes a streamed reply; its first event has no choices, but what the filters say of the prompt."""

    def opening(self) -> bytes:
        """Return the event about the prompt, and the one that names the role."""
        head = openai_head(self.envelope, kind="chat.completion.chunk")
        about_prompt = {**head, "choices": [], "prompt_filter_results": _PROMPT_RESULTS}
        return sse_event(about_prompt) + super().opening()
