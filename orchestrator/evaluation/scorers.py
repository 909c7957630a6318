"""Scorers by name: how good an answer is, from 0 to 1, decided without a model.

    exact               it is `expected`; objects are compared as JSON
    label               it is the label `expected`, without regard to case and to marks around it
    contains            it contains `expected`, or so much of a list of texts
    numeric[:0.5|:1%]   it announces the number `expected`, at most so far away
    schema:FILE         it is JSON that fits the JSON schema of a file
    language[:vi|en]    it is written in this language, or in that of the row
    cost:USD            it cost no more, else the whole answer counts 0
    latency:SECONDS     it took no longer, else the whole answer counts 0
    module:function     a function of your own (`custom_scorer`)

`judge:MODEL` stands in `judging`, for it asks somebody.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import orjson

from orchestrator.core.bounded_file import MIB, read_bounded
from orchestrator.core.json_schema import fits, unknown_keywords
from orchestrator.core.language import Language, language_of
from orchestrator.core.money import format_usd, typed_usd
from orchestrator.core.unknown_names import unknown
from orchestrator.evaluation.case import Answer, EvaluationError, Row, Score
from orchestrator.evaluation.custom_scorer import CustomScorer
from orchestrator.policies.normal_form import announced_number, label_of, unfenced, worked_out_number
from orchestrator.policies.plain_numbers import number_of

RIGHT, WRONG = 1.0, 0.0
SCHEMA_BYTES_MAX = MIB
"""Of a file with a JSON schema."""
_NEED_EXPECTED = frozenset({"exact", "label", "contains", "numeric", "judge"})


class Scorer(Protocol):
    """Says how good an answer is."""

    @property
    def name(self) -> str:
        """Return how it is called in results."""
        ...

    def score(self, row: Row, answer: Answer) -> Score:
        """Return 0 to 1, or None where it cannot be told, with the reason."""
        ...


@dataclass(frozen=True, slots=True)
class PlainScorer:
    """A scorer by a function that returns a value and the reason."""

    name: str
    measure: Callable[[Row, Answer], Score]

    def score(self, row: Row, answer: Answer) -> Score:
        """Return 0 to 1."""
        return self.measure(row, answer)


def needs_expected(specs: Sequence[str]) -> bool:
    """Return whether a row must say what is right for these scorers."""
    return any(spec.partition(":")[0] in _NEED_EXPECTED for spec in specs)


def scorer_of(spec: str) -> Scorer:
    """Return the scorer of a text such as `numeric:1%` or `my_package.scores:tone`.

    Raises:
        EvaluationError: there is no such scorer, or what follows its name cannot be used.
    """
    kind, _, argument = spec.partition(":")
    make = _MAKERS.get(kind)
    try:
        if make is not None:
            return PlainScorer(spec, make(argument))
    except (ValueError, ArithmeticError) as exc:
        raise EvaluationError(f"scorer '{spec}': {exc}") from None
    if argument:
        return CustomScorer.of(spec)
    raise EvaluationError(f"{unknown('scorer', spec, [*_MAKERS, 'judge'])} (or module:function of your own)")


def scored(scorer: Scorer, row: Row, answer: Answer) -> Score:
    """Return the score of an answer; where there is none it is 0, whatever the scorer."""
    if answer.error:
        return Score(WRONG, f"no answer: {answer.error}")
    return scorer.score(row, answer)


def _verdict(is_right: object, reason: str) -> Score:
    return Score(RIGHT) if is_right else Score(WRONG, reason)


def _nothing_after(kind: str, argument: str) -> None:
    if argument:
        raise ValueError(f"'{kind}' takes nothing after its name")


def _exact(argument: str) -> Callable[[Row, Answer], Score]:
    _nothing_after("exact", argument)

    def measure(row: Row, answer: Answer) -> Score:
        if isinstance(row.expected, str):
            is_right = _composed(answer.text) == _composed(row.expected)
        else:
            is_right = _json_of(answer.text) == row.expected
        return _verdict(is_right, "not what is expected")

    return measure


def _label(argument: str) -> Callable[[Row, Answer], Score]:
    _nothing_after("label", argument)
    return lambda row, answer: _verdict(
        label_of(answer.text, [row.expected_text]) is not None, "another label, or none"
    )


def _contains(argument: str) -> Callable[[Row, Answer], Score]:
    _nothing_after("contains", argument)

    def measure(row: Row, answer: Answer) -> Score:
        parts = row.expected if isinstance(row.expected, list) else [row.expected_text]
        text = _composed(answer.text).casefold()
        missing = [part for part in map(str, parts) if _composed(part).casefold() not in text]
        return Score(
            1 - len(missing) / len(parts), f"does not contain: {', '.join(missing)}" if missing else ""
        )

    return measure


def _numeric(argument: str) -> Callable[[Row, Answer], Score]:
    is_share = argument.endswith("%")
    tolerance = Decimal(_number(argument.removesuffix("%") or "0", examples="numeric:0.5 or numeric:1%"))

    def measure(row: Row, answer: Answer) -> Score:
        right = _expected_number(row)
        number = announced_number(answer.text, language=row.language)
        number = number or worked_out_number(answer.text, language=row.language)
        if right is None or number is None:
            reason = "'expected' is no number" if right is None else "no number is announced"
            return Score(None if right is None else WRONG, reason)
        most = abs(right) * tolerance / 100 if is_share else tolerance
        return _verdict(abs(number.value - right) <= most, f"{number.value} instead of {right}")

    return measure


def _expected_number(row: Row) -> Decimal | None:
    if isinstance(row.expected, int | float):
        return Decimal(str(row.expected))
    number = number_of(row.expected_text, language=row.language)
    return None if number is None else number.value


def _schema(argument: str) -> Callable[[Row, Answer], Score]:
    try:
        schema = orjson.loads(read_bounded(argument, bytes_max=SCHEMA_BYTES_MAX))
    except (OSError, ValueError) as exc:
        raise ValueError(f"name a file with a JSON schema behind it, schema:answer.json ({exc})") from None
    unknown = sorted(unknown_keywords(schema))
    if unknown:
        raise ValueError(f"these keywords of the schema are not checked here: {', '.join(unknown)}")

    def measure(_row: Row, answer: Answer) -> Score:
        parsed = _json_of(answer.text)
        if parsed is None:
            return Score(WRONG, "not JSON")
        return _verdict(fits(parsed, schema), "JSON that does not fit the schema")

    return measure


def _language(argument: str) -> Callable[[Row, Answer], Score]:
    if argument and argument not in tuple(Language):
        raise ValueError(f"'{argument}': write {' or '.join(Language)}")

    def measure(row: Row, answer: Answer) -> Score:
        language = argument or row.language
        if language is None:
            return Score(None, "the row has no 'language', and the scorer names none")
        is_vietnamese = language_of(answer.text) is Language.VI
        return _verdict(is_vietnamese is (language == Language.VI), f"not written in '{language}'")

    return measure


def _cost(argument: str) -> Callable[[Row, Answer], Score]:
    most = typed_usd(argument)
    return lambda _row, answer: _verdict(
        answer.cost_nusd <= most, f"cost {format_usd(answer.cost_nusd)}, more than {format_usd(most)}"
    )


def _latency(argument: str) -> Callable[[Row, Answer], Score]:
    most_s = float(_number(argument, examples="latency:2.5, in seconds"))
    if most_s == 0:
        raise ValueError("seconds are a number above 0")
    return lambda _row, answer: _verdict(
        answer.latency_s <= most_s, f"took {answer.latency_s:.2f} s, more than {most_s:g} s"
    )


def _number(text: str, *, examples: str) -> str:
    """Return the text of a number that is finite and not negative."""
    try:
        number = Decimal(text)
    except ArithmeticError:
        raise ValueError(f"'{text}' is no number; write {examples}") from None
    if not number.is_finite() or number < 0:
        raise ValueError(f"'{text}' is not 0 or more; write {examples}")
    return text


def _composed(text: Any) -> str:
    return unicodedata.normalize("NFC", str(text).strip())


def _json_of(text: str) -> Any:
    try:
        return orjson.loads(unfenced(text))
    except ValueError:
        return None


_MAKERS: dict[str, Callable[[str], Callable[[Row, Answer], Score]]] = {
    "exact": _exact,
    "label": _label,
    "contains": _contains,
    "numeric": _numeric,
    "schema": _schema,
    "language": _language,
    "cost": _cost,
    "latency": _latency,
}
