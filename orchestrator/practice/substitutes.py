"""What comes in the place of an answer: an odd page, body or stream, an error, the way elsewhere."""

import orjson
from aiohttp import web

from orchestrator.practice.connections import redirect
from orchestrator.practice.fault_kinds import Fault, FaultKind
from orchestrator.practice.odd_answers import send_odd_answer
from orchestrator.practice.odd_bodies import ODD_BODIES, odd_body
from orchestrator.practice.wire import Envelope, WireCall
from orchestrator.practice.wire_errors import HTML_PAGE, Refusal, error_body


async def substitute(
    http: web.BaseRequest, fault: Fault, *, call: WireCall, envelope: Envelope
) -> web.StreamResponse | None:
    """Send what a fault puts in the place of an answer; None when one is to come."""
    provider = envelope.provider
    if fault.kind is FaultKind.REDIRECT:
        return redirect(http, status=fault.status or 0)
    if fault.kind is FaultKind.MALFORMED_BODY:
        return web.Response(body=HTML_PAGE, content_type="text/html")
    if fault.shape is not None:
        return await send_odd_answer(
            http,
            provider=provider,
            shape=fault.shape,
            stream=call.stream,
            max_tokens=call.request.max_tokens,
        )
    if fault.kind in ODD_BODIES:
        return _json(odd_body(provider, envelope.model, fault, path=http.path))
    if fault.kind is FaultKind.ERROR_IN_200 and not call.stream:
        return _json(orjson.dumps(error_body(provider, error_of_fault(fault, envelope.model))))
    return None


def error_of_fault(fault: Fault, model: str) -> Refusal:
    """Return the HTTP error that a fault stands for."""
    return Refusal(fault.status or 0, reason=fault.reason, model=model, retry_after_s=fault.retry_after_s)


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")
