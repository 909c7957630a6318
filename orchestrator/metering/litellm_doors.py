"""LiteLLM's entry points under a guard: a list of those that are let in, and doors that stop the rest.

Nearly all functions of LiteLLM that send are made by one decorator, which asks two functions of its module
at its head. There a call that runs in no metered send is stopped, by whatever name it was imported. What
has no such head, or sends by a way of its own, is closed by its name: a new function of a later version too.
"""

import inspect
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from types import FunctionType, ModuleType
from typing import Any

import litellm
import litellm.harness
from litellm.rust_bridge import runtime as native_runtime
from litellm.rust_bridge.catalog import Route, RouteContext
from litellm.types.utils import CallTypes

from orchestrator.core.errors import InvalidRequestError, OrchestratorError
from orchestrator.metering.first_byte import CURRENT_METERED
from orchestrator.metering.litellm_call import own_client
from orchestrator.providers.litellm.sending import CURRENT_SENDING

METERED = frozenset({"completion", "acompletion"})
_BRIDGED = frozenset({CallTypes.responses.value, CallTypes.aresponses.value})
_WAYS = METERED | _BRIDGED
"""LiteLLM's functions that a completion goes through: some models it asks over another API."""

LET_IN = _WAYS | {
    # They ask what is metered, or a function with a door.
    *("batch_completion", "batch_completion_models", "batch_completion_models_all_responses"),
    *("completion_with_retries", "acompletion_with_retries", "responses_with_retries"),
    *("aresponses_with_retries", "aresponses_api_with_mcp", "adapter_completion", "aadapter_completion"),
    *("aadapter_generate_content", "ahealth_check", "run_tool_loop", "arun_tool_loop", "compress"),
    "config_completion",
    # They ask for a count, which is free.
    "acount_tokens",
    # They send nothing.
    *("add_known_models", "admission_input_tokens", "admitted_prompt_token_counter", "agent_capabilities"),
    *("completion_cost", "cost_per_token", "get_optional_params_add_message", "get_optional_rerank_params"),
    *("identify", "is_bedrock_pricing_only_model", "is_openai_finetune_model", "mock_completion"),
    *("mock_responses_api_response", "print_verbose", "response_cost_calculator"),
    *("responses_api_bridge_check", "set_global_bitbucket_config", "set_global_gitlab_config"),
    *("stream_chunk_builder", "stream_chunk_builder_text_completion", "timeout"),
}
"""LiteLLM's functions, beside those of `_BESIDE_ENTRIES`, that may be called while a guard is on duty."""
_BESIDE_ENTRIES = (
    *("litellm.utils", "litellm.litellm_core_utils.", "litellm.types.", "litellm.llms.", "litellm.caching."),
    *("litellm._", "litellm.secret_managers.", "litellm.rust_bridge.", "litellm.integrations."),
    "litellm.router_utils.",
)
"""Modules of what entry points are made of; what sends there is asked by an entry point."""
_FREE_ROUTES = frozenset({Route.TOKEN_COUNTER, Route.TOKENIZER})

OnDuty = Callable[[], bool]


def stand_doors(is_on_duty: OnDuty) -> None:
    """Put the doors into LiteLLM, once for a process; they stop nothing while no guard is on duty."""
    for module, names, door in (
        # What each function asks first, and what it does once it is sure to send by itself.
        (litellm.utils, ("_get_call_type_from_public_name",), _head),
        (litellm.utils, ("print_args_passed_to_litellm",), _once),
        (native_runtime, ("_attempt_native", "_aattempt_native"), _native),
    ):
        for name in names:
            setattr(module, name, door(getattr(module, name), is_on_duty))
    for function in closed_functions():
        closed = _closed(function, is_on_duty)
        for module in _holders(function):
            setattr(module, function.__name__, closed)


def closed_functions() -> tuple[FunctionType, ...]:
    """Return the entry points of LiteLLM that are not let in."""
    named = [entry for module in (litellm, litellm.harness) for entry in _entries(module)]
    return tuple({id(function): function for name, function in named if name not in LET_IN}.values())


def final(error: OrchestratorError) -> OrchestratorError:
    """Return an error that LiteLLM's Router does not retry; a fallback may still fit the budget."""
    error.status_code = 400  # type: ignore[attr-defined]
    return error


def _entries(module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    for name, member in vars(module).items():
        if inspect.isfunction(member) and member.__module__.startswith("litellm."):
            is_entry = not member.__module__.startswith(_BESIDE_ENTRIES)
            if is_entry and (not name.startswith("_") or name in _HIDDEN):
                yield name, member


_HIDDEN = frozenset({"_arealtime", "_aresponses_websocket"})


def _holders(function: FunctionType) -> list[ModuleType]:
    """Return the modules under whose name a function is found: where it was written, and those above."""
    parts = function.__module__.split(".")
    above = [sys.modules[".".join(parts[:end])] for end in range(1, len(parts) + 1)]
    return [module for module in above if getattr(module, function.__name__, None) is function]


def _head(call_type_of: Callable[[str], str], is_on_duty: OnDuty) -> Callable[[str], str]:
    """Return what each function of LiteLLM's asks first; it stops those that run in no metered send."""

    @wraps(call_type_of)
    def head(name: str) -> str:
        if is_on_duty() and (_goes_past() or name not in _WAYS):
            raise final(_past_the_guard(name))
        return call_type_of(name)

    return head


def _once(tell: Callable[..., None], is_on_duty: OnDuty) -> Callable[..., None]:
    """Return what each call of LiteLLM's runs through once; a metered send goes each way once."""

    @wraps(tell)
    def once(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        metered, name = CURRENT_METERED.get(), function.__name__
        if metered is not None and is_on_duty():
            if name in metered.passed:
                raise final(_past_the_guard(name))
            metered.passed.add(name)
            if name in _BRIDGED:
                # LiteLLM has left the client of the call behind, and would take one that asks nobody.
                kwargs["client"] = own_client(asynchronous=name == CallTypes.aresponses.value)
        tell(function, args, kwargs)

    return once


def _native(attempt: Callable[..., Any], is_on_duty: OnDuty) -> Callable[..., Any]:
    """Return what LiteLLM runs to send from compiled code, where nothing can be measured any more."""

    @wraps(attempt)
    def native(context: RouteContext, *args: Any) -> Any:
        if is_on_duty() and context.route not in _FREE_ROUTES:
            raise final(_past_the_guard(str(context.route.value)))
        return attempt(context, *args)

    return native


def _closed(function: FunctionType, is_on_duty: OnDuty) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def aclosed(*args: Any, **kwargs: Any) -> Any:
            if is_on_duty():
                raise final(_past_the_guard(function.__name__))
            return await function(*args, **kwargs)

        return aclosed

    @wraps(function)
    def closed(*args: Any, **kwargs: Any) -> Any:
        if is_on_duty():
            raise final(_past_the_guard(function.__name__))
        return function(*args, **kwargs)

    return closed


def _goes_past() -> bool:
    """Return whether no send is under way here; a task that was begun in one may outlive it."""
    metered = CURRENT_METERED.get()
    return CURRENT_SENDING.get() is None and (metered is None or metered.has_ended)


def _past_the_guard(what: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"a guard is in litellm.callbacks, and this {what} goes past it, so nothing is held for it. The guard "
        "meters litellm.completion, litellm.acompletion and the Router's; a name imported from litellm before "
        "the guard was made is the unmetered one"
    )
