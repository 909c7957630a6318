"""A line of the log is one JSON object that names its request, and has no word of an exception."""

import asyncio
import logging

import orjson

from orchestrator.core.json_log import MESSAGE_MAX, JsonLogFormatter, LoggedRequest, name_request

logger = logging.getLogger("orchestrator.tests")


def line_of(caplog, **more) -> dict:
    logger.warning("attempt %s failed", 1, **more)
    text = JsonLogFormatter().format(caplog.records[-1])
    assert "\n" not in text
    return orjson.loads(text)


def test_a_line_has_time_level_logger_and_message(caplog):
    line = line_of(caplog)
    assert (line["level"], line["logger"], line["message"]) == (
        "warning",
        "orchestrator.tests",
        "attempt 1 failed",
    )
    assert line["time"].endswith("+00:00")
    assert "request_id" not in line


def test_lines_of_requests_under_way_at_once_each_name_their_own(caplog):
    async def serve(number: int) -> str:
        name_request(LoggedRequest(f"id-{number}", "công ty", "bulk"))
        await asyncio.sleep(0)
        return line_of(caplog)["request_id"]

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(serve(number) for number in range(20)))

    assert asyncio.run(all_of_them()) == [f"id-{number}" for number in range(20)]
    assert "request_id" not in line_of(caplog)


def test_of_an_exception_there_is_the_type_and_no_word(caplog):
    try:
        raise ValueError("the prompt was: mã 4711")
    except ValueError:
        line = line_of(caplog, exc_info=True)
    assert line["exception"] == "ValueError"
    assert "4711" not in str(line)


def test_a_message_is_bounded_and_what_would_act_on_a_terminal_is_shown():
    message = "\x1b[31m\u202e\ud800" + "x" * 9999
    record = logging.LogRecord("orchestrator.tests", logging.WARNING, "", 1, message, None, None)
    text = JsonLogFormatter().format(record)
    assert len(text) < MESSAGE_MAX + 300
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert orjson.loads(text)["message"].startswith(r"\x1b[31m\u202e\ud800xxx")
