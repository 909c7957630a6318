"""`POST /v1/feedback`: what somebody thought of an answer, on the account of the key's tenant alone."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from orchestrator.access.api_keys import Role
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.unknown_names import unknown
from orchestrator.server.door import door_of
from orchestrator.server.error_answers import AnswerError, answer_of, refusal
from orchestrator.server.request_body import json_object_of

_KINDS: Mapping[str, type] = {"request_id": str, "score": int, "corrected": str, "source": str}
"""The fields that it has, and what each holds; null is as good as leaving one out."""
_PREFIX = "chatcmpl-"
"""Before a request's id, where OpenAI's clients read it."""


async def take_feedback(request: Request) -> Response:
    """Keep `score` (1 to 5) or `corrected` (a better answer) of the request that `request_id` names.

    Raises:
        AnswerError: 400 a field is wrong or missing, 404 no such request of this tenant.
    """
    door = door_of(request)
    caller = door.callers.caller_of(request.scope, Role.CALL)
    fields = _fields_of(await json_object_of(request, door.settings))
    identity = fields.pop("request_id").removeprefix(_PREFIX)
    keep = partial(door.orchestrator.feedback, identity, tenant=caller.tenant, **fields)
    try:
        taken = await asyncio.to_thread(keep)
    except OrchestratorError as error:
        raise AnswerError(answer_of(error, now=door.clock.now(), scopes=caller.scopes)) from error
    kept = {"request_id": taken.request_id, "corrected_is_kept": taken.corrected_is_kept}
    return JSONResponse({"object": "feedback", **kept})


def _fields_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that say something.

    Raises:
        AnswerError: 400 for one that is unknown, of another kind, or missing.
    """
    fields = {name: value for name, value in body.items() if value is not None}
    for name, value in fields.items():
        if name not in _KINDS:
            raise refusal(unknown("field", name, _KINDS), param=name[:60], code="unknown_parameter")
        # A boolean is an integer in Python alone.
        if type(value) is not _KINDS[name]:
            kind = "a whole number" if _KINDS[name] is int else "a text"
            raise refusal(f"'{name}' must be {kind}", param=name)
    if not fields.get("request_id"):
        raise refusal("'request_id' is missing: the x-nextflow-request-id of the answer", param="request_id")
    return fields
