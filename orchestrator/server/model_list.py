"""`GET /v1/models`: every name that `model` may be, and what each is."""

from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from orchestrator.access.api_keys import Role
from orchestrator.config.loader import Config
from orchestrator.server.callers import Caller
from orchestrator.server.door import door_of
from orchestrator.server.error_answers import AnswerError, ErrorAnswer

_OWNER = "nextflow"


async def list_models(request: Request) -> Response:
    """Answer with the names that a caller may use."""
    door = door_of(request)
    caller = door.callers.caller_of(request.scope, Role.CALL)
    return JSONResponse({"object": "list", "data": list(_entries(door.orchestrator.config, caller))})


async def show_model(request: Request) -> Response:
    """Answer with one of them.

    Raises:
        AnswerError: there is none of this name that the caller may use.
    """
    door = door_of(request)
    caller = door.callers.caller_of(request.scope, Role.CALL)
    name = request.path_params["name"]
    for entry in _entries(door.orchestrator.config, caller):
        if entry["id"] == name:
            return JSONResponse(entry)
    raise AnswerError(
        ErrorAnswer(404, "no model of this name; see /v1/models", "model_not_found", param="model")
    )


def _entries(config: Config, caller: Caller) -> Iterator[dict[str, Any]]:
    """Yield the use cases first; a name that stands for two things is the first of them."""
    names: set[str] = set()
    for name, kind, owner in _names(config, caller):
        if name not in names:
            names.add(name)
            yield {"id": name, "object": "model", "created": 0, "owned_by": owner, "kind": kind}


def _names(config: Config, caller: Caller) -> Iterator[tuple[str, str, str]]:
    for name in config.settings.use_cases:
        if not caller.use_cases or name in caller.use_cases:
            yield name, "use_case", _OWNER
    if caller.use_cases:
        return
    deployments = config.catalog.usable.values()
    served = {deployment.model_name for deployment in deployments}
    yield from ((name, "model", _OWNER) for name in config.catalog.models if name in served)
    for name, alias in config.catalog.aliases.items():
        if alias.model in served:
            yield name, "alias", _OWNER
    yield from ((deployment.name, "deployment", deployment.provider_name) for deployment in deployments)
