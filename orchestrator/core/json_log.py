"""The log as JSON lines, each with the request that it is about; a program installs it where it wants it.

    handler = logging.StreamHandler()
    handler.setFormatter(JsonLogFormatter())
    logging.getLogger("orchestrator").addHandler(handler)
    logging.getLogger("orchestrator.requests").setLevel(logging.INFO)   # a line for each request that ended

This package configures no logging by itself. A line has no prompt, no reply and no key, because no message of
ours has any; of an exception there is the type alone, for the words of a foreign one may quote a prompt. So
install it at `orchestrator`, and at other loggers only if their messages may be kept.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from orchestrator.core.visible_text import visible, visible_json

MESSAGE_MAX = 4096
"""Characters of a message."""


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """The request under way, as every line names it that is written meanwhile."""

    request_id: str
    tenant: str
    use_case: str


_current: ContextVar[LoggedRequest | None] = ContextVar("orchestrator_logged_request", default=None)


def name_request(request: LoggedRequest) -> None:
    """Let the lines of this task, and of those that it starts, name a request."""
    _current.set(request)


@contextmanager
def logged_as(request: LoggedRequest) -> Iterator[None]:
    """Let the lines of a block name a request, on the thread of its caller."""
    token = _current.set(request)
    try:
        yield
    finally:
        _current.reset(token)


class JsonLogFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, the request, and how it ended.

    It reads the request where a line is formatted: in the thread and task that wrote it.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            # Also half a character of a foreign text, which JSON could not hold.
            "message": visible(record.getMessage()[:MESSAGE_MAX]),
        }
        request = _current.get()
        if request is not None:
            line |= {
                "request_id": request.request_id,
                "tenant": request.tenant,
                "use_case": request.use_case,
            }
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
        line |= getattr(record, "request_fields", {})
        return visible_json(orjson.dumps(line, default=str).decode())
