"""What an answer says, in one spelling, so that two answers can be compared; free text has none.

tool_calls   the calls, their names and arguments; their order does not count
json         an object, field by field, each by its own rule
label        one of the labels of the use case
number       one number: the whole text, or what follows the words that announce it
sql          one statement, by its tokens (`policies.plain_sql`)
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator

from orchestrator.core.language import Language
from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.core.reply import ToolCall
from orchestrator.core.settings import Settings
from orchestrator.policies.plain_numbers import PlainNumber, number_of, numbers_in
from orchestrator.policies.plain_sql import sql_form
from orchestrator.policies.plain_values import (
    FieldRule,
    NoValueError,
    folded,
    form_of_fields,
    spelled,
)

NO_CALL = "no call"
"""The form of an answer that calls no tool, where `no_call` is a vote."""
_FENCE = re.compile(r"\s*```(?:json)?\s*\n(?P<inside>.*?)\n?\s*```\s*", re.IGNORECASE | re.DOTALL)
_EDGES = " \t\r\n.,;:!?\"'`*()[]“”‘’"
_NOT_A_NAME = re.compile(r"[^0-9a-zA-Z]+")
_ANNOUNCED = re.compile(
    r"(?<!\w)(?:answer|result|đáp án|đáp số|kết quả|câu trả lời)(?!\w)(?:[^\n.!?]{0,40}?(?<!\w)(?:is|was|là)(?!\w)|\s*[:=])",
    re.IGNORECASE,
)
_END_OF_SENTENCE = re.compile(r"[.!?](?:\s|$)|\n")


class CompareBy(StrEnum):
    """What of an answer is voted on."""

    TOOL_CALLS = "tool_calls"
    JSON = "json"
    LABEL = "label"
    NUMBER = "number"
    SQL = "sql"


class UnitRule(StrEnum):
    """Whether the unit of a number is part of the vote."""

    COMPARE = "compare"
    IGNORE = "ignore"


class NoCall(StrEnum):
    """What an answer is that calls no tool."""

    ABSTAIN = "abstain"
    VOTE = "vote"


def impossible_labels(labels: Iterable[str]) -> list[str]:
    """Return the labels that no answer can be: of marks alone, or the same as another but for case."""
    names = list(labels)
    folded = [label.strip().casefold() for label in names]
    return [
        label
        for label, plain in zip(names, folded, strict=True)
        if label_of(label, [label]) is None or folded.count(plain) > 1
    ]


def _possible(labels: tuple[str, ...]) -> tuple[str, ...]:
    wrong = impossible_labels(labels)
    if wrong:
        msg = (
            f"no answer can be told to be the label '{wrong[0]}': it is of marks alone, or the same as another but for "
            "case; write each label once, with letters or digits"
        )
        raise ValueError(msg)
    return labels


TellableLabels = Annotated[tuple[str, ...], AfterValidator(_possible)]
"""What an answer may be, each told from the others without regard to case and to marks around it."""


class CompareSettings(Settings):
    """How the answers of a use case are compared; there is no way to compare free text."""

    by: CompareBy
    """tool_calls, json, label, number or sql."""
    fields: Mapping[str, FieldRule] = {}
    """With json and tool_calls: the rule of a field or an argument by its path; others are auto."""
    labels: TellableLabels = ()
    """With label: the only ones that count."""
    units: UnitRule = UnitRule.COMPARE
    """With number: whether 5 kg and 5 are two values (compare) or one (ignore)."""
    no_call: NoCall = NoCall.ABSTAIN
    """With tool_calls: whether answers that call nothing agree (vote), or do not count (abstain)."""
    language: Language | None = None
    """How 1.234 and 03/04/2026 are read; without it they are compared as they are written."""


@dataclass(frozen=True, slots=True)
class NormalForm:
    """What an answer says, in one spelling."""

    value: str
    is_plain: bool = True
    """It stands in the answer as such; False where it had to be worked out from other words."""


def normal_form(answer: ProviderAnswer, compare: CompareSettings) -> NormalForm | None:
    """Return what an answer says in one spelling; None where it says nothing that can be compared."""
    try:
        return _form(answer.text, answer.tool_calls, compare)
    except NoValueError:
        return None


def _form(text: str, calls: Sequence[ToolCall], compare: CompareSettings) -> NormalForm | None:
    if compare.by is CompareBy.NUMBER:
        return _number_form(text, compare)
    value: str | None
    match compare.by:
        case CompareBy.TOOL_CALLS:
            value = _calls_form(calls, compare)
        case CompareBy.JSON:
            value = _json_form(text, compare)
        case CompareBy.LABEL:
            value = label_of(text, compare.labels)
        case CompareBy.SQL:
            value = sql_form(text)
    return None if value is None else NormalForm(value)


def _number_form(text: str, compare: CompareSettings) -> NormalForm | None:
    text = unicodedata.normalize("NFC", text)
    announced = announced_number(text, language=compare.language)
    number = announced or worked_out_number(text, language=compare.language)
    if number is None:
        return None
    spelling = PlainNumber(number.value) if compare.units is UnitRule.IGNORE else number
    return NormalForm(str(spelling), is_plain=announced is not None)


def _calls_form(calls: Sequence[ToolCall], compare: CompareSettings) -> str | None:
    if not calls:
        return NO_CALL if compare.no_call is NoCall.VOTE else None
    forms = []
    for call in calls:
        arguments = _object_of(call.arguments or "{}")
        formed = form_of_fields(arguments, compare.fields, language=compare.language)
        # Providers write the dots of a name in their own ways.
        forms.append(spelled([_NOT_A_NAME.sub("_", call.name).casefold(), formed]))
    return spelled(sorted(forms))


def _json_form(text: str, compare: CompareSettings) -> str:
    fields = _object_of(unfenced(text))
    return spelled(form_of_fields(fields, compare.fields, language=compare.language))


def _object_of(text: str) -> dict[str, Any]:
    try:
        fields = orjson.loads(text)
    except ValueError:
        raise NoValueError("not JSON") from None
    if not isinstance(fields, dict):
        raise NoValueError("not an object")
    return fields


def unfenced(text: str) -> str:
    """Return a text without the fence of a code block around all of it."""
    fenced = _FENCE.fullmatch(text)
    return fenced["inside"] if fenced else text


def label_of(text: str, labels: Sequence[str]) -> str | None:
    """Return the label that a text is, in one spelling; None where it is none of `labels`."""
    label = folded(text.strip(_EDGES))
    return label if label in {folded(known) for known in labels} else None


def announced_number(text: str, *, language: Language | None = None) -> PlainNumber | None:
    """Return the number that a text is, or announces ("the answer is 90"); None where it does neither.

    Of announcements the last counts, and of its sentence the last number: `the answer is 3 + 4 = 7`.
    """
    whole = number_of(text, language=language)
    if whole is not None:
        return whole
    for match in reversed(list(_ANNOUNCED.finditer(text))):
        sentence = _END_OF_SENTENCE.split(text[match.end() :], maxsplit=1)[0]
        if numbers := numbers_in(sentence, language=language):
            return numbers[-1]
    return None


def worked_out_number(text: str, *, language: Language | None = None) -> PlainNumber | None:
    """Return the number behind the last sign of equality, or the only one that a text names; else None."""
    computed = numbers_in(text.rpartition("=")[2], language=language) if "=" in text else []
    if computed:
        return computed[0]
    numbers = numbers_in(text, language=language)
    return numbers[0] if len({number.value for number in numbers}) == 1 else None
