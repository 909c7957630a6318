"""Keeps prompts, replies and headers out of the log lines of the libraries that we send with.

    openai       DEBUG: the whole request, messages included
    httpx        INFO: addresses, with whatever key stands in a query
    httpcore     DEBUG: requests and the headers of responses
    botocore     DEBUG: what Bedrock answered, each piece of a stream
    google_genai, langchain_*, LiteLLM: messages and what providers answered, at several levels

A level alone is undone by the library's own switch (`OPENAI_LOG=debug`) or by a program that sets every
logger to DEBUG, so each logger also gets a filter.
"""

import logging

LIBRARIES = (
    *("openai", "httpx", "httpx2", "httpcore", "httpcore2", "google_genai", "google.genai", "google.auth"),
    *("langchain", "langchain_core", "langchain_openai", "langchain_google_genai", "langsmith"),
    *("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "requests", "urllib3"),
    *("boto3", "botocore", "s3transfer", "hpack"),
    # Made with the first send, when a program may have set the one above to DEBUG.
    *("httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.socks"),
    *("httpcore2.connection", "httpcore2.http11", "httpcore2.http2", "httpcore2.proxy", "httpcore2.socks"),
)
"""By the names of their loggers; each with all that are named below it."""

_BELOW = tuple(f"{name}." for name in LIBRARIES)


class _Warnings(logging.Filter):
    """Lets warnings pass, and what is graver."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING


_WARNINGS = _Warnings()


def quiet_libraries() -> None:
    """Let the libraries that are loaded by now say warnings and no less; a second call changes nothing."""
    for name in LIBRARIES:
        top = logging.getLogger(name)
        if top.level < logging.WARNING:
            # Setting a level makes every logger of the process forget what it has worked out.
            top.setLevel(logging.WARNING)
    for name, known in list(logging.root.manager.loggerDict.items()):
        if isinstance(known, logging.Logger) and (name in LIBRARIES or name.startswith(_BELOW)):
            # addFilter keeps a filter once, however often it is added.
            known.addFilter(_WARNINGS)
