"""Keeps the prompt and the reply of a call that config.yaml has kept; never in the call's way."""

import logging
from dataclasses import asdict
from datetime import timedelta

import orjson

from orchestrator.config.effective import secrets_of
from orchestrator.core.errors import LedgerError
from orchestrator.core.reply import ChatReply
from orchestrator.ledger.contents import ContentStore, KeptContent, kept_messages, kept_text
from orchestrator.ledger.record_settings import Recorded
from orchestrator.pipeline.call import Call

logger = logging.getLogger("orchestrator")


def keep_content(call: Call, reply: ChatReply | None, recorded: Recorded, contents: ContentStore) -> None:
    """Keep the prompt and the reply of a call that has ended; where that fails the log says so."""
    secrets = secrets_of(call.snapshot.config.settings)
    try:
        contents.keep(
            KeptContent(
                operation_id=call.id,
                # Of a shadow too: whoever forgets a tenant forgets what was made of its prompts.
                tenant=call.request.tenant,
                kept_at=call.started_at,
                until=call.started_at + timedelta(days=recorded.keep_days),
                messages=kept_messages(call.request.messages, secrets=secrets),
                reply=None if reply is None else kept_text(_text_of(reply), secrets=secrets),
            )
        )
    except LedgerError as exc:
        # Without a traceback: this may run inside a provider's error, whose text quotes the prompt.
        logger.error("the content is not kept, or late: request=%s: %s", call.id, exc)  # noqa: TRY400


def _text_of(reply: ChatReply) -> str:
    if not reply.tool_calls:
        return reply.text
    calls = orjson.dumps([asdict(call) for call in reply.tool_calls]).decode()
    return f"{reply.text}\n{calls}" if reply.text else calls
