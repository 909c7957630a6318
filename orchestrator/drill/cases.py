"""What a drill breaks: for each use case every class of fault at its first choice, then level after level."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.catalog.models import ModelClass
from orchestrator.config.loader import Config
from orchestrator.core.language import language_of
from orchestrator.practice import Fault
from orchestrator.routing.settings import OnFiltered

CLASSES: Mapping[str, str] = {
    "429": "status=429",
    "429 with Retry-After": "status=429,retry_after_s=60",
    "500": "status=500",
    "502": "status=502",
    "503": "status=503",
    "504": "status=504",
    "529": "status=529",
    "401": "status=401",
    "402": "status=402",
    "403": "status=403",
    "404": "status=404",
    "context overflow": "status=400,reason=context_length",
    "content filter": "status=400,reason=content_filter",
    "403 that is flagged": "status=403,reason=content_filter",
    "bad request": "status=400",
    "400 that is HTML": "status=400,reason=html",
    "400 that is empty": "status=400,reason=empty",
    "409": "status=409",
    "quota used up": "status=429,reason=insufficient_quota",
    "output limit": "status=400,reason=output_limit",
    "larger than a minute": "status=429,reason=request_too_large",
    "location": "status=400,reason=location",
    "deprecated model": "status=400,reason=deprecated_model",
    "narrower schema": "status=422,reason=schema",
    "error of 4 MB": "status=500,reason=huge",
    "redirect": "redirect",
    "connection reset": "reset",
    "silence": "silence",
    "slow first token": "slow_first_token,delay_s=60",
    "cut": "cut_stream=3",
    "end mark missing": "end_stream=3",
    "stall": "stall_stream=3",
    "malformed chunk": "malformed_chunk=3",
    "odd chunk": "odd_chunk=3",
    "HTML with 200": "malformed_body",
    "text that is no text": "wrong_types",
    "no choices": "no_choices",
    "empty answer": "empty_content",
    "error with 200": "error_in_200",
    "error in the stream": "error_in_200,after_chunks=3",
    "finish that is no end": "odd_answer=unknown_finish",
    "error beside text": "odd_answer=error_beside_text",
    "host behind a router that failed": "odd_answer=host_failed",
    "error within a message": "odd_answer=error_in_message",
    "code in the place of an event": "odd_answer=bare_code",
    "words where none belong": "odd_answer=words_elsewhere",
    "number that is none in a tool call": "odd_answer=nan_arguments",
    "tool call without a name": "odd_answer=nameless_call",
    "tool call cut in its arguments": "odd_answer=cut_call",
    "packed body of 30 MB": "odd_answer=gzip_bomb",
    "thoughts without an end": "useless=thoughts,every_s=0.3",
    "spaces without an end": "useless=spaces,every_s=0.3",
    "charged to a customer's own key": "odd_bill=own_key",
    "cost of 0": "odd_bill=zero_cost",
    "another class of service": "odd_bill=priority",
    "counts that contradict": "odd_bill=contradicting",
    "counts that are none": "odd_bill=negative",
    "drip": "drip=5",
}
"""Each class of fault: its name for people, and its text for the practice providers."""

FILTERED = frozenset({"content filter", "403 that is flagged"})
"""An error where the use case stops at it, and another model's answer elsewhere."""

QUESTION = "Đơn hàng DH1001 của tôi đang ở đâu?"
"""What every case asks."""

NOBODY_LEFT = "providers"
"""No provider can answer: the last resort does, and where there is none for the question, an error."""

OUTAGE = "status=503"
"""The answer of a level or a provider that is down."""

REJECTED = frozenset({"bad request"})
"""For these the right result is an error: every provider would refuse the same request."""


@dataclass(frozen=True, slots=True)
class Case:
    """One fault or outage, for one use case, as a whole answer or as a stream."""

    use_case: str
    broken: str
    """For people: `503 at openrouter/gpt-6.1-sol`."""
    kind: str
    """The class of fault; `level`, `levels` or `provider` for the others."""
    faults: tuple[tuple[str, Fault], ...]
    """Each with the provider that plays it."""
    stream: bool
    wants_error: bool = False
    """An error is the right end."""


def cases_of(config: Config, use_case: str, *, kinds: Sequence[str] = ()) -> Iterator[Case]:
    """Yield the cases of a use case: each once for a whole answer and once for a stream."""
    for stream in (False, True):
        for kind, broken, faults in _broken(config, use_case):
            if not kinds or kind in kinds:
                yield Case(
                    use_case, broken, kind, tuple(faults), stream, _wants_error(config, use_case, kind)
                )


def _wants_error(config: Config, use_case: str, kind: str) -> bool:
    stops = config.settings.use_cases[use_case].on_filtered is OnFiltered.STOP
    without_end = kind == NOBODY_LEFT and not _has_last_resort(config, use_case)
    return kind in REJECTED or (kind in FILTERED and stops) or without_end


def _has_last_resort(config: Config, use_case: str) -> bool:
    """Return whether an apology is wanted, or an emergency model writes the language of the question."""
    settings = config.settings.use_cases[use_case]
    models = (deployment.model for deployment in config.catalog.deployments.values())
    speaks = any(
        model.tier is ModelClass.EMERGENCY and language_of(QUESTION) in model.languages for model in models
    )
    return settings.graceful or (speaks and not settings.never_degrade)


def levels_of(config: Config, use_case: str) -> tuple[str, ...]:
    """Return the deployments of a route that a drill can break: those that are usable and not local."""
    usable = config.catalog.deployments
    names = [step.deployment for step in config.settings.use_cases[use_case].route]
    return tuple(name for name in names if name in usable and not usable[name].is_local)


def _broken(config: Config, use_case: str) -> Iterator[tuple[str, str, list[tuple[str, Fault]]]]:
    levels = levels_of(config, use_case)
    if not levels:
        return
    for kind, text in CLASSES.items():
        yield kind, f"{kind} at {levels[0]}", [_at(config, levels[0], text)]
    for level in levels[1:]:
        yield "level", f"{level} down", [_at(config, level, OUTAGE)]
    for count in range(2, len(levels) + 1):
        first = levels[:count]
        yield "levels", f"levels 1 to {count} down", [_at(config, level, OUTAGE) for level in first]
    providers = sorted({config.catalog.deployments[level].provider_name for level in levels})
    for provider in providers:
        yield "provider", f"{provider} down", [(provider, Fault.parse(f"*:{OUTAGE}"))]
    yield (
        NOBODY_LEFT,
        "every provider down",
        [(provider, Fault.parse(f"*:{OUTAGE}")) for provider in _remote(config)],
    )


def _at(config: Config, deployment: str, text: str) -> tuple[str, Fault]:
    target = config.catalog.deployments[deployment]
    return target.provider_name, Fault.parse(f"*:{text},model={target.upstream}")


def _remote(config: Config) -> list[str]:
    usable = config.catalog.deployments.values()
    return sorted({deployment.provider_name for deployment in usable if not deployment.is_local})
