"""The control API of a practice server that runs in a process of its own.

GET    /practice/health                  {"status": "ok", ...}
GET    /practice/bill                    totals and charges, in nano-dollars
DELETE /practice/bill                    forget them
GET    /practice/faults                  the faults that wait
POST   /practice/faults                  {"faults": ["openrouter:status=503", {...}]}
DELETE /practice/faults[?provider=...]   drop them
"""

from collections.abc import Mapping
from typing import Any

from orchestrator.practice.bill import Bill
from orchestrator.practice.desks import decoded
from orchestrator.practice.faults import PROVIDERS, Fault, FaultQueue
from orchestrator.practice.wire_errors import Refusal

PREFIX = "/practice/"


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
                return {"status": "ok", "providers": list(PROVIDERS), "faults": len(self._faults)}
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
        return {"faults": [{**fault.as_json(), "text": str(fault)} for fault in waiting]}

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
