"""The file of results: a line for each answer and verdict, written as it comes; nothing is asked twice.

The first line names the run whose budget all of it counts for. An answer belongs to a row, its question
included, and to a subject with its settings; a changed question is asked anew. One start at a time has it:
two would ask every row twice, each on the whole of what their budget has left.
"""

import contextlib
import errno
import secrets
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any, Self

import orjson
from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from orchestrator.core.bounded_file import MIB, read_bounded
from orchestrator.core.private_folder import make_private_file, refuse_planted
from orchestrator.evaluation.case import Answer, EvaluationError, Row, Score

FORMAT = 1
_BYTES_MAX = 512 * MIB

_AT_ONCE: Mapping[str, Any] = {"timeout": 0, "mode": 0o600, "thread_local": False}
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})
"""What a file system says that cannot lock: NFS without its service, some of clouds' buckets."""


def results_beside(data: Path) -> Path:
    """Return where results are kept by default: `golden.results.jsonl` beside `golden.csv`."""
    return data.parent / f"{data.stem}.results.jsonl"


class Journal:
    """What was answered and judged so far; safe for several threads of one process."""

    def __init__(self, path: Path, header: Mapping[str, Any], start: BaseFileLock) -> None:
        """Take a file that is nobody else's while `start` is locked; use `opened`."""
        self.path = path
        self._start = start
        self.run: str = header["run"]
        """The name of the run in the ledger."""
        self._answers: dict[tuple[str, str], Answer] = {}
        self._verdicts: dict[tuple[str, str, str], Score] = {}
        self._lock = Lock()
        self._file = path.open("ab")

    @classmethod
    def opened(cls, path: Path, *, setup: Mapping[str, Any]) -> Self:
        """Open a file of results, or begin one; `setup` is what answers hang on besides row and subject.

        Raises:
            EvaluationError: it is no file of results, one of another setup, cannot be written, or is another
                start's.
        """
        try:
            refuse_planted(path)
            start = _locked(path.resolve())
        except Timeout:
            raise EvaluationError(
                f"{path}: another evaluation has it; wait until that has ended (in a notebook: close() it), or name "
                "another file of results"
            ) from None
        except OSError as exc:
            raise EvaluationError(f"{path}: cannot be written: {exc.strerror}") from None
        try:
            return cls._read(path, setup, start)
        except BaseException:
            _release(start)
            raise

    @classmethod
    def _read(cls, path: Path, setup: Mapping[str, Any], start: BaseFileLock) -> Self:
        try:
            lines = _whole_lines(path)
            if not lines:
                header: dict[str, Any] = {
                    "evaluation": FORMAT,
                    "run": f"eval-{secrets.token_hex(6)}",
                    "setup": dict(setup),
                }
                make_private_file(path)
                path.write_bytes(orjson.dumps(header) + b"\n")
                return cls(path, header, start)
            journal = cls(path, _header_of(lines[0], path, setup), start)
        except OSError as exc:
            raise EvaluationError(f"{path}: cannot be written: {exc.strerror}") from None
        for number, line in enumerate(lines[1:], start=2):
            journal._take(line, number)
        return journal

    def answer_of(self, row: Row, subject: str) -> Answer | None:
        """Return what a subject answered to a row; None where it was not asked yet."""
        return self._answers.get((row.key, subject))

    def verdict_of(self, row: Row, subject: str, judge: str) -> Score | None:
        """Return what a judge said; None where it was not asked yet."""
        return self._verdicts.get((row.key, subject, judge))

    def forget_failures(self) -> None:
        """Let rows be asked again that got no answer, or no verdict."""
        self._answers = {key: answer for key, answer in self._answers.items() if not answer.error}
        self._verdicts = {of: score for of, score in self._verdicts.items() if score.value is not None}

    def keep_answer(self, row: Row, subject: str, answer: Answer) -> None:
        """Write an answer down at once."""
        with self._lock:
            self._forget_verdicts((row.key, subject))
            self._answers[row.key, subject] = answer
            self._write({"row": row.key, "subject": subject, "answer": answer.plain()})

    def keep_verdict(self, row: Row, subject: str, judge: str, score: Score) -> None:
        """Write a verdict down at once."""
        with self._lock:
            self._verdicts[row.key, subject, judge] = score
            verdict = {"value": score.value, "reason": score.reason}
            self._write({"row": row.key, "subject": subject, "judge": judge, "verdict": verdict})

    def close(self) -> None:
        """Close the file, and let another start have it."""
        self._file.close()
        _release(self._start)

    def __enter__(self) -> Self:
        """Return the journal."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def _forget_verdicts(self, key: tuple[str, str]) -> None:
        """Forget what was said of an earlier answer."""
        self._verdicts = {of: score for of, score in self._verdicts.items() if of[:2] != key}

    def _write(self, record: Mapping[str, Any]) -> None:
        self._file.write(orjson.dumps(record) + b"\n")
        self._file.flush()

    def _take(self, line: bytes, number: int) -> None:
        try:
            record = orjson.loads(line)
            key = (record["row"], record["subject"])
            if "answer" in record:
                if key in self._answers:
                    self._forget_verdicts(key)
                self._answers[key] = Answer.of(record["answer"])
            else:
                self._verdicts[*key, record["judge"]] = Score(**record["verdict"])
        except (ValueError, KeyError, TypeError):
            self._file.close()
            raise EvaluationError(
                f"{self.path}:{number}: no line of results; delete it, and its row is asked again"
            ) from None


def _locked(path: Path) -> BaseFileLock:
    """Return the lock of a file of results, had by this start.

    Raises:
        Timeout: another start has it.
        OSError: nothing can be written there.
    """
    start: BaseFileLock = FileLock(path.with_name(f".{path.name}.lock"), **_AT_ONCE)
    try:
        start.acquire()
    except OSError as exc:
        if exc.errno not in _NO_LOCKS:
            raise
        Path(start.lock_file).unlink(missing_ok=True)
        # That it is there is the lock; where its process is gone it is made anew.
        start = SoftFileLock(path.with_name(f".{path.name}.started"), **_AT_ONCE)
        start.acquire()
    return start


def _release(start: BaseFileLock) -> None:
    """Let another start have the file, and leave no file of the lock: taken by its name, it is made anew."""
    if start.is_locked:
        # Windows deletes no file that is open, and does so itself as it lets go.
        with contextlib.suppress(OSError):
            Path(start.lock_file).unlink()
        start.release()


def _whole_lines(path: Path) -> list[bytes]:
    """Return the lines of a file; a last one that was not finished is cut off, for its process was ended."""
    if not path.exists():
        return []
    raw = read_bounded(path, bytes_max=_BYTES_MAX)
    whole = raw[: raw.rfind(b"\n") + 1]
    if len(whole) < len(raw):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return whole.splitlines()


def _header_of(line: bytes, path: Path, setup: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        header: dict[str, Any] = orjson.loads(line)
        before: dict[str, Any] = header["setup"]
        is_ours = header["evaluation"] == FORMAT and isinstance(header["run"], str)
    except (ValueError, KeyError, TypeError):
        is_ours, header, before = False, {}, {}
    if not is_ours:
        raise EvaluationError(f"{path}:1: this is no file of results; name another one")
    changed = [
        f"{name} was {before.get(name)!r} and is {value!r}"
        for name, value in setup.items()
        if before.get(name) != value
    ]
    if changed:
        raise EvaluationError(
            f"{path}:1: begun with other settings ({'; '.join(changed)}); name another file with --results"
        )
    return header
