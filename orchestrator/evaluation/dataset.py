"""Data sets: JSONL, CSV, Parquet or a DataFrame as rows, or every mistake in them with its line.

    id        a name of the row; its line where it has none
    prompt    what is asked, or `messages` (OpenAI's shape), or `input` (of a chain)
    expected  what is right: a text, a number, a list of texts or an object
    language  vi or en
    tools     in OpenAI's shape

Other columns are left alone.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from orchestrator.core.bounded_file import MIB, read_bounded
from orchestrator.core.language import Language
from orchestrator.core.plain_data import kind_in_words
from orchestrator.core.unknown_names import nearest
from orchestrator.evaluation.case import EvaluationError, Row

GOLDEN_COLUMNS = ("id", "prompt", "messages", "input", "expected", "language", "tools")
_MISTAKES_MAX = 20
_COLUMNS_SHOWN, _LETTERS_SHOWN = 20, 40
_BYTES_MAX = 512 * MIB
_ASKS = ("prompt", "messages", "input")
_WIDE = (b"\xff\xfe", b"\xfe\xff")
Numbered = tuple[int, Mapping[str, Any]]
"""The line of a record, and its fields."""


def rows_of(data: Any, *, needs_expected: bool = False, labels: Sequence[str] = ()) -> list[Row]:
    """Return the rows of a file (`.jsonl`, `.csv`, `.parquet`) or of a DataFrame.

    `needs_expected` refuses rows that do not say what is right, `labels` those whose answer is none of them.

    Raises:
        EvaluationError: one line for each mistake, with what to do.
    """
    name = str(data) if isinstance(data, str | Path) else "the data"
    mistakes: list[str] = []
    rows: list[Row] = []
    for line, fields in records_of(data, mistakes):
        try:
            rows.append(_row(line, fields, needs_expected=needs_expected, labels=labels))
        except ValueError as exc:
            mistakes.append(f"{name}:{line}: {exc}")
    mistakes.extend(f"{name}:{line}: {words}" for line, words in _repeated(rows))
    if not rows and not mistakes:
        mistakes.append(f"{name}: there are no rows; {_how_to_write(data)}")
    if mistakes:
        more = len(mistakes) - _MISTAKES_MAX
        tail = [f"{name}: and {more} more; mend these first"] if more > 0 else []
        raise EvaluationError("\n".join([*mistakes[:_MISTAKES_MAX], *tail]))
    return rows


def _how_to_write(data: Any) -> str:
    match Path(data).suffix.lower() if isinstance(data, str | Path) else "":
        case ".jsonl" | ".ndjson":
            return "write one JSON object a line"
        case ".csv":
            return "name the columns in the first line, such as id,prompt,expected, and write one row a line"
    return f"a row has one of {', '.join(_ASKS)}"


def records_of(data: Any, mistakes: list[str]) -> Iterator[Numbered]:
    """Yield the records of a file or a DataFrame with their lines; lines that are none go to `mistakes`.

    Raises:
        EvaluationError: the whole cannot be read.
    """
    if not isinstance(data, str | Path):
        yield from _of_frame(data)
        return
    path = Path(data)
    match path.suffix.lower():
        case ".jsonl" | ".ndjson":
            yield from _of_json_lines(path, mistakes)
        case ".csv":
            yield from _of_csv(path)
        case ".parquet":
            yield from _of_parquet(path)
        case _:
            raise EvaluationError(f"{path}: name a file that ends in .jsonl, .csv or .parquet")


def _whole(path: Path) -> bytes:
    try:
        return read_bounded(path, bytes_max=_BYTES_MAX)
    except OSError as exc:
        raise EvaluationError(f"{path}: cannot be read: {exc.strerror}") from None


def _bytes_of(path: Path) -> bytes:
    raw = _whole(path)
    if raw.startswith(_WIDE):
        raise EvaluationError(f"{path}: this is UTF-16; save the file as UTF-8 (in Excel: CSV UTF-8)")
    return raw.removeprefix(b"\xef\xbb\xbf")


def _of_json_lines(path: Path, mistakes: list[str]) -> Iterator[Numbered]:
    for line, raw in enumerate(_bytes_of(path).split(b"\n"), start=1):
        if not raw.strip():
            continue
        try:
            text = raw.decode("utf-8")
            fields = orjson.loads(text)
            twice = _named_twice(text)
        except UnicodeDecodeError as exc:
            mistakes.append(f"{path}:{line}: {_encoding(exc)}")
        except (ValueError, RecursionError) as exc:
            mistakes.append(f"{path}:{line}: not JSON ({exc}); write one object on a line of its own")
        else:
            if twice is not None:
                mistakes.append(f"{path}:{line}: '{twice}' stands there twice; delete one of them")
            elif isinstance(fields, dict):
                yield line, fields
            else:
                mistakes.append(f"{path}:{line}: {kind_in_words(fields)}; write an object in braces")


def _named_twice(text: str) -> str | None:
    """Return a key that an object of a JSON text has twice: readers keep one of the two, and say nothing."""
    repeated: list[str] = []

    def keep_repeated(pairs: list[tuple[str, Any]]) -> None:
        repeated.extend(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)

    json.loads(text, object_pairs_hook=keep_repeated)
    return repeated[0] if repeated else None


def _encoding(exc: UnicodeDecodeError) -> str:
    return f"byte {exc.start + 1} of the line is not UTF-8; save the whole file as UTF-8, not a part of it"


def _of_csv(path: Path) -> Iterator[Numbered]:
    raw = _bytes_of(path)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        line = raw[: exc.start].count(b"\n") + 1
        raise EvaluationError(f"{path}:{line}: not UTF-8; save the whole file as UTF-8") from None
    lines = list(io.StringIO(text, newline=""))
    reader = csv.DictReader(lines, strict=True)
    begins = 1
    try:
        _check_names(path, reader.fieldnames or ())
        begins = _next_record(lines, reader.line_num)
        for fields in reader:
            if None in fields or None in fields.values():
                raise EvaluationError(
                    f"{path}:{begins}: not as many cells as the first line names; put cells with commas or "
                    "line breaks in quotes"
                )
            yield begins, {name: cell for name, cell in fields.items() if cell != ""}
            begins = _next_record(lines, reader.line_num)
    except csv.Error as exc:
        # The reader knows where it noticed; what is to be mended is in the record that it was reading.
        raise EvaluationError(
            f"{path}:{begins}: not CSV ({exc}); close each quote, and write a quote in a cell twice"
        ) from None


def _next_record(lines: Sequence[str], read: int) -> int:
    """Return the line of the next record after so many lines were read; empty ones are none."""
    return next((at for at, line in enumerate(lines[read:], start=read + 1) if line.strip("\r\n")), read + 1)


def _check_names(path: Path, names: Sequence[str]) -> None:
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise EvaluationError(f"{path}:1: two columns are named '{twice[0]}'; rename or delete one of them")
    if len(names) == 1 and any(mark in names[0] for mark in ";\t"):
        raise EvaluationError(
            f"{path}:1: the columns are parted by another mark than a comma; save it with commas"
        )


def _of_parquet(path: Path) -> Iterator[Numbered]:
    try:
        import pandas as pd  # noqa: PLC0415 -- takes a second

        frame = pd.read_parquet(io.BytesIO(_whole(path)))
    except ImportError:
        raise EvaluationError(
            f"{path}: Parquet needs the extra `parquet`: pip install '.[parquet]'"
        ) from None
    except (OSError, ValueError) as exc:
        raise EvaluationError(f"{path}: cannot be read as Parquet: {type(exc).__name__}") from None
    yield from _of_frame(frame)


def _of_frame(frame: Any) -> Iterator[Numbered]:
    """Yield the records of whatever has `to_dict("records")`, or is a list of mappings."""
    records: Iterable[Any] = frame.to_dict("records") if hasattr(frame, "to_dict") else frame
    for line, fields in enumerate(records, start=1):
        # NaN is equal to nothing: pandas writes it where there is no value.
        yield line, {name: _plain(cell) for name, cell in fields.items() if not _is_missing(cell)}


def _is_missing(cell: Any) -> bool:
    return cell is None or (not hasattr(cell, "tolist") and not isinstance(cell, list) and cell != cell)  # noqa: PLR0124


def _plain(cell: Any) -> Any:
    return cell.tolist() if hasattr(cell, "tolist") else cell


def _row(line: int, fields: Mapping[str, Any], *, needs_expected: bool, labels: Sequence[str]) -> Row:
    asks = [name for name in _ASKS if fields.get(name) not in (None, "", [], {})]
    if len(asks) != 1:
        what = f"both {' and '.join(asks)}" if asks else "nothing is asked"
        raise ValueError(f"{what}: a row has one of {', '.join(_ASKS)}{_likely(fields, _ASKS)}")
    expected = fields.get("expected")
    if needs_expected and expected in (None, "", [], {}):
        raise ValueError(f"'expected' is missing: write what is right{_likely(fields, ['expected'])}")
    if labels and _folded(expected) not in {_folded(label) for label in labels}:
        raise ValueError(
            f"expected '{expected}' is none of the labels, so no model can be right; labels: {', '.join(labels)}"
        )
    return Row(
        id=str(fields.get("id", line)),
        line=line,
        prompt=_prompt(fields),
        input=_json(fields.get("input"), dict, "input"),
        expected=expected,
        language=_language(fields.get("language")),
        tools=tuple(_json(fields.get("tools"), list, "tools") or ()),
    )


def _likely(fields: Mapping[str, Any], names: Sequence[str]) -> str:
    for name in names:
        close = nearest(name, [str(field) for field in fields if field not in GOLDEN_COLUMNS])
        if close is not None:
            return f"; is '{close}' meant as '{name}'?"
    more = ", ..." if len(fields) > _COLUMNS_SHOWN else ""
    shown = (str(field)[:_LETTERS_SHOWN] for field in islice(fields, _COLUMNS_SHOWN))
    return f"; it has {', '.join(shown) or 'no columns'}{more}"


def _prompt(fields: Mapping[str, Any]) -> str | tuple[Mapping[str, Any], ...] | None:
    messages = _json(fields.get("messages"), list, "messages")
    if messages:
        return tuple(messages)
    prompt = fields.get("prompt")
    if prompt is not None and not isinstance(prompt, str):
        raise ValueError(f"'prompt' is {kind_in_words(prompt)}; write a text, or 'messages'")
    return prompt


def _json(cell: Any, kind: type, name: str) -> Any:
    """Return a list or an object, which CSV and Parquet hold as text."""
    if isinstance(cell, str):
        try:
            cell = orjson.loads(cell)
        except ValueError:
            raise ValueError(f"'{name}' is no JSON") from None
    if cell is not None and not isinstance(cell, kind):
        raise ValueError(f"'{name}' is {kind_in_words(cell)}, and has to be {kind_in_words(kind())}")
    return cell


def _language(raw: Any) -> Language | None:
    try:
        return None if raw is None else Language(raw)
    except ValueError:
        raise ValueError(f"language {raw!r}: write {' or '.join(Language)}") from None


def _folded(value: Any) -> str:
    return str(value).strip().casefold()


def _repeated(rows: Sequence[Row]) -> Iterator[tuple[int, str]]:
    """Yield the rows that are there twice: an example that counts twice makes an interval too narrow."""
    ids: dict[str, int] = {}
    asked: dict[str, Row] = {}
    for row in rows:
        before = ids.setdefault(row.id, row.line)
        same = asked.setdefault(row.key.removeprefix(row.id), row)
        if before != row.line:
            yield row.line, f"id '{row.id}' stands in line {before} already; give each row its own"
        elif same is not row:
            other = "" if same.expected == row.expected else ", with another 'expected'"
            yield row.line, f"asks the same as line {same.line}{other}; delete one of them"
