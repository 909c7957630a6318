"""The control API of a practice server that runs in a process of its own.

GET    /practice/health                  {"status": "ok", ...}
GET    /practice/bill                    totals and charges, in nano-dollars
DELETE /practice/bill                    forget them
GET    /practice/faults                  the faults that wait
POST   /practice/faults                  {"faults": ["openrouter:status=503", {...}]}
DELETE /practice/faults[?provider=...]   drop them

A page in a browser on this machine reaches a loopback port as well, by a name of its own that it leads here,
or with a form that it posts here. So only requests to a loopback address, and from no other page, are
answered.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from orchestrator.practice.bill import Bill
from orchestrator.practice.desks import decoded
from orchestrator.practice.fault_words import in_words
from orchestrator.practice.faults import Fault, FaultQueue
from orchestrator.practice.wire_errors import Refusal

PREFIX = "/practice/"
_FORBIDDEN = 403


def check_origin(headers: Mapping[str, str]) -> None:
    """Check that a request is meant for this machine and comes from no page of another place.

    Raises:
        Refusal: 403, for a foreign Host, Origin or Sec-Fetch-Site.
    """
    host = headers.get("Host", "")
    if not _is_loopback(f"http://{host}"):
        raise Refusal(_FORBIDDEN, message="practice providers answer to 127.0.0.1 and localhost alone")
    origin = headers.get("Origin", f"http://{host}")
    if origin != f"http://{host}" or headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
        raise Refusal(_FORBIDDEN, message="practice providers answer no page of another place")


def _is_loopback(address: str) -> bool:
    try:
        name = urlsplit(address).hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


class Control:
    """Answers control requests."""

    def __init__(self, *, faults: FaultQueue, bill: Bill) -> None:
        """Take what is controlled."""
        self._faults = faults
        self._bill = bill

    def answer(self, method: str, *, path: str, query: Mapping[str, str], body: bytes) -> dict[str, Any]:
        """Return the JSON that answers a request; `path` is what follows the prefix.

        Raises:
            Refusal: 404 for another path or method, 400 for a fault that makes no sense.
        """
        match method, path:
            case "GET", "health":
                return {
                    "status": "ok",
                    "providers": list(self._faults.providers),
                    "faults": len(self._faults),
                }
            case "GET", "bill":
                return self._bill.as_json()
            case "DELETE", "bill":
                self._bill.clear()
                return self._bill.as_json()
            case "GET", "faults":
                return self._waiting_faults()
            case "POST", "faults":
                self._add(decoded(body))
                return self._waiting_faults()
            case "DELETE", "faults":
                return {"dropped": self._faults.clear(query.get("provider"))}
        raise Refusal(404, message=f"no such control request: {method} {PREFIX}{path}")

    def _waiting_faults(self) -> dict[str, Any]:
        waiting = self._faults.waiting
        return {
            "faults": [{**fault.as_json(), "text": str(fault), "words": in_words(fault)} for fault in waiting]
        }

    def _add(self, body: dict[str, Any]) -> None:
        faults = body.get("faults")
        if not isinstance(faults, list):
            raise Refusal(400, message='expected {"faults": [...]} with texts or objects')
        try:
            self._faults.add(
                *(Fault.parse(each) if isinstance(each, str) else Fault.from_json(each) for each in faults)
            )
        except ValueError as exc:
            raise Refusal(400, message=str(exc)) from exc
