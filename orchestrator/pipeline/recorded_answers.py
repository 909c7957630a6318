"""Answers in a file, so that a notebook or a test repeats for free and says the same every time.

Each line is one JSON object: what was asked, its key, and the reply. A request is known by its use case, its
messages, its model and what shapes the answer; who pays, and how long one waits, does not count. Asked again,
the same request gets the answers of the file in their order, the last of them from then on.

The file holds prompts and replies as they are, and is for its owner alone; the configuration's keys are
masked in it.
"""

import json
import os
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from orchestrator.config.effective import secrets_of
from orchestrator.core.bounded_file import MIB, read_bounded
from orchestrator.core.errors import AnswerNotRecordedError, StateError
from orchestrator.core.money import ZERO_NUSD
from orchestrator.core.private_folder import make_private_file, make_private_folder, refuse_planted
from orchestrator.core.reply import CacheState, ChatReply
from orchestrator.core.request import CacheUse, ChatRequest
from orchestrator.ledger.contents import without_secrets
from orchestrator.pipeline.call import Call, Step
from orchestrator.pipeline.recording import record_and_wait
from orchestrator.pipeline.reply_building import pack_whole, unpack_whole
from orchestrator.pipeline.services import PipelineServices

_FORMAT = 1
_BYTES_MAX = 512 * MIB
_COMPARED_MAX = 200
"""Lines that are looked at for the nearest request; comparing takes its time."""


@dataclass(frozen=True, slots=True)
class _Recorded:
    line: int
    question: Mapping[str, Any]
    reply: ChatReply


class AnswerFile:
    """The answers of one file; safe from any thread."""

    def __init__(self, path: Path | str, *, adds: bool) -> None:
        """Read the file; with `adds` what it has not is asked and written into it, and it need not be there.

        Raises:
            StateError: it is not there or cannot be read, or a line is none of ours.
        """
        self.path = Path(path).expanduser()
        self.adds = adds
        self._lock = threading.Lock()
        self._answers: defaultdict[str, list[_Recorded]] = defaultdict(list)
        self._uses: Counter[str] = Counter()
        self._lines = 0
        for line in self._read():
            self._take(line)

    def find(self, request: ChatRequest) -> ChatReply | None:
        """Return the next answer to a request, None where the file has none."""
        key = _key_of(_question_of(request))
        with self._lock:
            answers = self._answers.get(key)
            if not answers:
                return None
            place = min(self._uses[key], len(answers) - 1)
            self._uses[key] += 1
            return answers[place].reply

    def add(self, request: ChatRequest, reply: ChatReply, *, secrets: Iterable[str]) -> None:
        """Write an answer to the end of the file.

        Raises:
            StateError: it cannot be written.
        """
        question = _question_of(request)
        key = _key_of(question)
        entry = {
            "format": _FORMAT,
            "key": key,
            "question": question,
            "reply": orjson.loads(pack_whole(reply)),
        }
        text = without_secrets(orjson.dumps(entry, option=orjson.OPT_NON_STR_KEYS).decode(), secrets=secrets)
        with self._lock:
            try:
                make_private_folder(self.path.parent)
                make_private_file(self.path)
                with self.path.open("a+b") as file:
                    file.write(_end_of_line(file) + f"{text}\n".encode())
            except OSError as exc:
                raise StateError(f"{self.path}: the answer cannot be recorded: {exc.strerror}") from None
            self._lines += 1
            self._answers[key].append(_Recorded(self._lines, question, reply))
            self._uses[key] += 1

    def miss(self, request: ChatRequest) -> AnswerNotRecordedError:
        """Return the error of a request without an answer; it says what the nearest one differs in."""
        question = _question_of(request)
        known = [answers[0] for answers in self._answers.values()][-_COMPARED_MAX:]
        nearest = max(known, key=lambda recorded: _likeness(recorded.question, question), default=None)
        if nearest is None:
            differs = "the file has no answers"
        else:
            where = next(_differences(nearest.question, question, "request"), "nothing")
            differs = f"the nearest is line {nearest.line}, where {where}"
        return AnswerNotRecordedError(
            f"{self.path} has no answer to this request of use case '{request.use_case}': {differs}. "
            "Record it: run once with record= in the place of replay="
        )

    def unrecorded(self, what: str) -> AnswerNotRecordedError:
        """Return the error of `what` is never recorded, while the file is replayed."""
        return AnswerNotRecordedError(
            f"{self.path} is replayed, so nobody is asked, and {what} are not recorded: "
            "use an orchestrator without replay= for them"
        )

    def _read(self) -> Iterator[bytes]:
        try:
            refuse_planted(self.path)
            yield from read_bounded(self.path, bytes_max=_BYTES_MAX).splitlines()
        except FileNotFoundError:
            if not self.adds:
                raise StateError(
                    f"{self.path}: there is no such file of answers; make it with record= in the place of replay="
                ) from None
        except OSError as exc:
            raise StateError(f"{self.path}: the answers cannot be read: {exc.strerror}") from None

    def _take(self, line: bytes) -> None:
        self._lines += 1
        if not line.strip():
            return
        try:
            entry = orjson.loads(line)
            reply = unpack_whole(orjson.dumps(entry["reply"]))
            key, question, known = entry["key"], entry["question"], entry["format"] == _FORMAT
        except (ValueError, KeyError, TypeError):
            reply, key, question, known = None, "", {}, False
        if reply is None or not known or not isinstance(question, Mapping):
            raise StateError(
                f"{self.path}:{self._lines}: no recorded answer of this version; delete the line and record it anew"
            )
        self._answers[str(key)].append(_Recorded(self._lines, question, reply))


def answer_file(*, record: Path | str | None, replay: Path | str | None) -> AnswerFile | None:
    """Return the file of answers that is recorded to or replayed, None where neither is named.

    Raises:
        StateError: the answers cannot be read, or both are named.
    """
    if record is not None and replay is not None:
        raise StateError("record= and replay= are two ways to use a file of answers; name one of them")
    path = record if replay is None else replay
    return None if path is None else AnswerFile(path, adds=replay is None)


class RecordedAnswers:
    """Answers from a file, at no cost; a request that it has not is asked and written, or an error."""

    def __init__(self, services: PipelineServices, following: Step, answers: AnswerFile) -> None:
        """Stand around `following`."""
        self._services = services
        self._following = following
        self._answers = answers

    async def __call__(self, call: Call) -> ChatReply:
        """Return the recorded reply, or what the following step answers.

        Raises:
            AnswerNotRecordedError: the file has no such request, and is only replayed.
            StateError: the answer cannot be written.
        """
        asks_anew = self._answers.adds and call.request.cache is CacheUse.REFRESH
        recorded = None if asks_anew else self._answers.find(call.request)
        if recorded is not None:
            return await self._repeat(call, recorded)
        if not self._answers.adds:
            raise self._answers.miss(call.request).of_request(call.id)
        reply = await self._following(call)
        secrets = secrets_of(call.snapshot.config.settings)
        self._answers.add(call.request, reply, secrets=secrets)
        return reply

    async def _repeat(self, call: Call, recorded: ChatReply) -> ChatReply:
        notice = f"recorded on {recorded.created_at:%Y-%m-%d}, from {self._answers.path.name}"
        reply = replace(
            recorded,
            request_id=call.id,
            cost_nusd=ZERO_NUSD,
            attempts=(),
            plan=None,
            cached=CacheState.REPLAYED,
            notices=(*recorded.notices, notice),
            latency_s=call.deadline.elapsed_s(),
            created_at=call.started_at,
        )
        call.hand_over(reply)
        return await record_and_wait(call, reply, None, services=self._services)


class NobodyIsAsked:
    """The innermost step of what no file records while answers are replayed: an error; nothing is sent."""

    def __init__(self, answers: AnswerFile) -> None:
        """Name `answers` in the error."""
        self._answers = answers

    async def __call__(self, call: Call) -> ChatReply:
        """Raise.

        Raises:
            AnswerNotRecordedError: always.
        """
        raise self._answers.unrecorded("embeddings").of_request(call.id)


def _end_of_line(file: BinaryIO) -> bytes:
    """Return what ends the last line of a file: an editor, or a crash, may have left it open."""
    if not file.seek(0, os.SEEK_END):
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"


def _question_of(request: ChatRequest) -> dict[str, Any]:
    """Return what counts of a request, as plain data that JSON gives back as it was."""
    sampling = {name: value for name, value in request.sampling.as_wire().items() if value is not None}
    question = {
        "use_case": request.use_case,
        "model": request.model,
        "max_tokens": request.max_tokens,
        "messages": [
            {name: part for name, part in message.items() if part is not None} for message in request.messages
        ],
        **sampling,
    }
    plain: dict[str, Any] = orjson.loads(orjson.dumps(question, option=orjson.OPT_NON_STR_KEYS, default=list))
    return {name: value for name, value in plain.items() if value is not None}


def _key_of(question: Mapping[str, Any]) -> str:
    return sha256(orjson.dumps(question, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def _likeness(recorded: Mapping[str, Any], question: Mapping[str, Any]) -> float:
    first, second = (json.dumps(each, sort_keys=True)[:20_000] for each in (recorded, question))
    return SequenceMatcher(None, first, second, autojunk=True).quick_ratio()


def _differences(recorded: Any, question: Any, where: str) -> Iterator[str]:
    """Yield where two requests differ; of texts the place alone, for they are somebody's words."""
    if recorded == question:
        return
    if isinstance(recorded, Mapping) and isinstance(question, Mapping):
        for name in sorted(recorded.keys() | question.keys()):
            yield from _differences(
                recorded.get(name), question.get(name), name if where == "request" else f"{where}.{name}"
            )
    elif isinstance(recorded, list) and isinstance(question, list):
        if len(recorded) != len(question):
            yield f"{where} has {len(recorded)} entries and not {len(question)}"
        for place, pair in enumerate(zip(recorded, question, strict=False)):
            yield from _differences(*pair, f"{where}[{place}]")
    elif isinstance(recorded, str) and isinstance(question, str) and "messages" in where:
        place = len(os.path.commonprefix([recorded, question]))  # noqa: RUF071 -- of texts, not of paths
        lengths = len(recorded), len(question)
        sizes = "" if lengths[0] == lengths[1] else f" ({lengths[0]} characters and not {lengths[1]})"
        yield f"{where} differs from character {place + 1} on{sizes}"
    else:
        yield f"{where} is {_short(recorded)} and not {_short(question)}"


def _short(value: Any) -> str:
    return (
        json.dumps(value, ensure_ascii=False)
        if isinstance(value, int | float | str | None)
        else "something else"
    )
