"""Faults in words, for people: what each parameter is, with its unit."""

from collections.abc import Iterator, Mapping

from orchestrator.practice.fault_kinds import ANY_PROVIDER, Fault, FaultKind

_WORDS: Mapping[str, str] = {
    "status": "HTTP {}",
    "reason": "{}",
    "retry_after_s": "ask again after {} s",
    "delay_s": "{} s before it begins",
    "after_chunks": "after {} pieces",
    "bytes_per_s": "{} bytes a second",
    "size_mb": "{} MB",
    "manner": "{}",
    "shape": "{}",
    "bill": "{}",
    "useless": "{}",
    "every_s": "every {} s",
    "vectors": "{}",
    "model": "model {} alone",
    "times": "{} times",
}
"""How each parameter is said; of a choice its word says all."""


def in_words(fault: Fault) -> str:
    """Return a fault's parameters with their units: `20 s before it begins, until cleared`."""
    known = fault.as_json()
    texts = [words.format(_number(known[name])) for name, words in _WORDS.items() if name in known]
    text = ", ".join(texts if fault.times is not None else [*texts, "until cleared"])
    return f"{text.removesuffix('1 times')}once" if fault.times == 1 else text


def kinds_in_words() -> Iterator[tuple[str, str]]:
    """Yield each kind as it is written for any provider, with its defaults in words."""
    for kind in FaultKind:
        fault = Fault(ANY_PROVIDER, kind)
        yield str(fault), in_words(fault).removesuffix("until cleared").removesuffix(", ")


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
