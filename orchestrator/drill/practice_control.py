"""Sends commands to practice providers that run in another process."""

import http.client
from typing import Any

import orjson

from orchestrator.core.errors import OrchestratorError

_HOST = "127.0.0.1"
_TIMEOUT_S = 5.0
_ERROR_STATUS_MIN = 400


class PracticeControlError(OrchestratorError):
    """Practice providers do not answer, or refuse the command."""

    exit_code = 2


def ask_practice(method: str, path: str, *, port: int, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Send one request to the control API at a loopback port and return its answer.

    Raises:
        PracticeControlError: nothing listens there, it is another program, or it refuses.
    """
    connection = http.client.HTTPConnection(_HOST, port, timeout=_TIMEOUT_S)
    try:
        connection.request(method, f"/practice/{path}", None if body is None else orjson.dumps(body))
        response = connection.getresponse()
        answer = orjson.loads(response.read())
    except (OSError, http.client.HTTPException) as exc:
        raise PracticeControlError(
            f"no practice providers answer on port {port}; "
            f"start them with 'orchestrator practice --port {port}', or name theirs with --port"
        ) from exc
    except orjson.JSONDecodeError as exc:
        raise PracticeControlError(
            f"what listens on port {port} is no practice provider; name theirs with --port"
        ) from exc
    finally:
        connection.close()
    if not isinstance(answer, dict):
        raise PracticeControlError(
            f"what listens on port {port} is no practice provider; name theirs with --port"
        )
    if response.status >= _ERROR_STATUS_MIN:
        raise PracticeControlError(_reason(answer, response.status))
    return answer


def _reason(answer: dict[str, Any], status: int) -> str:
    error = answer.get("error")
    message = error.get("message") if isinstance(error, dict) else None
    return str(message or f"the practice providers answered HTTP {status}")
