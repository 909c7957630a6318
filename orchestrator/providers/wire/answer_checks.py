"""What an answer must have before it is believed, whichever format it came in."""

from collections.abc import Mapping

from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.provider_answer import ProviderAnswer, UnreadableAnswerError
from orchestrator.core.sampling import Sampling
from orchestrator.core.visible_text import shows_something
from orchestrator.providers.wire.thought_tags import begins_as_call


def unreadable(
    kind: FailureKind, detail: str, *, answer: ProviderAnswer | None = None, status: int | None = None
) -> UnreadableAnswerError:
    """Return the error for an answer that cannot be used; `detail` names the part and never its value."""
    return UnreadableAnswerError(Failure(kind, status), answer, detail=detail)


def is_success(status: int) -> bool:
    """Return whether a status lets an answer follow: some gateways say 201 or 202 of a whole one."""
    return 200 <= status < 300  # noqa: PLR2004 -- HTTP


def check_says_something(answer: ProviderAnswer, *, filtered_for: str | None = None) -> None:
    """Check that an answer has text or tool calls; one that `length` has cut may have neither.

    `filtered_for` is the provider's own word for why it was filtered.

    Raises:
        UnreadableAnswerError: it was filtered, or it is empty though nothing cut it short, or it ends with
            tool calls and has none.
    """
    if answer.tool_calls:
        return
    if shows_something(answer.text):
        if answer.finish_reason == "tool_calls":
            raise unreadable(
                FailureKind.MALFORMED, "it ends with tool calls, and none has come", answer=answer
            )
        return
    if answer.finish_reason == "content_filter":
        reason = f": {filtered_for}" if filtered_for else ""
        raise unreadable(
            FailureKind.CONTENT_FILTERED, f"filtered before its first word{reason}", answer=answer
        )
    if answer.finish_reason != "length":
        raise unreadable(FailureKind.EMPTY, "neither text nor tool calls", answer=answer)


def call_in_text(answer: ProviderAnswer) -> UnreadableAnswerError:
    """Return the error for a tool call that a server leaves in the text: it is told of no parser for it."""
    return unreadable(
        FailureKind.UNSUPPORTED, "a tool call is written into the text, and not read as one", answer=answer
    )


def check_was_offered(answer: ProviderAnswer, sampling: Sampling) -> None:
    """Check that no tool is called but those of the request: nobody could carry the call out.

    With `tool_choice: none` there is no tool to be called: the caller's code reads the text, and has none.
    Where it names one, there is that one. Where one has to be called, one is.

    Raises:
        UnreadableAnswerError: one is, or is written into the text; or none is, and no finish reason tells it.
    """
    if not answer.tool_calls:
        if sampling.tools and begins_as_call(answer.text):
            raise call_in_text(answer)
        if sampling.must_call and answer.finish_reason == "stop":
            raise unreadable(
                FailureKind.UNSUPPORTED, "no tool is called, though one has to be", answer=answer
            )
        return
    tools = sampling.tools
    if not tools or sampling.tool_choice == "none":
        raise unreadable(FailureKind.MALFORMED, "it calls a tool, and none was offered", answer=answer)
    functions = [tool.get("function") for tool in tools]
    names = {function.get("name") for function in functions if isinstance(function, Mapping)}
    forced = _forced_by(sampling)
    if forced in names and any(call.name != forced for call in answer.tool_calls):
        raise unreadable(FailureKind.MALFORMED, "it calls another tool than the one asked for", answer=answer)
    # Of a vendor's own tools nobody here knows the names.
    if len(names) == len(tools) and any(call.name not in names for call in answer.tool_calls):
        raise unreadable(FailureKind.MALFORMED, "it calls a tool that was not offered", answer=answer)


def _forced_by(sampling: Sampling) -> str | None:
    """Return the name of the tool that must be called, None where none must."""
    choice = sampling.tool_choice
    function = choice.get("function") if isinstance(choice, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    return name if isinstance(name, str) else None
