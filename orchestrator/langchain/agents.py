"""The budget of an agent's run, as middleware of LangChain's agents; needs the extra `agents`.

    budget = RunBudgetMiddleware(max_cost_usd=0.50)
    agent = create_agent(orchestrator.chat_model("customer_service"), tools, middleware=[budget])
    agent.invoke({"messages": question}, config=run_config("thread-42"))

All that the agent and its tools ask counts for the run: chat models, embeddings, chains, vendors' own
clients, other agents. An agent that another one asks is a part of its run, with a share of its own. When the
money is used up the agent ends with a message that says so, or with the error.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Literal

from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.runnables import RunnableConfig, ensure_config

try:
    from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
    from langchain.agents.middleware.types import ToolCallRequest
except ModuleNotFoundError as exc:
    msg = f"{exc.name} is not installed, which agents need: pip install 'nextflow-orchestrator[agents]'"
    raise ModuleNotFoundError(msg, name=exc.name) from exc

from orchestrator.core.errors import BudgetExceededError, InvalidRequestError
from orchestrator.core.formatting import usd_text
from orchestrator.core.language import Language, reply_language
from orchestrator.core.money import NanoUsd, format_usd
from orchestrator.core.run import Run
from orchestrator.langchain.conversation import to_wire
from orchestrator.langchain.run_budget import ChatInRun, counting_inside, run_around

ExitBehavior = Literal["end", "error"]
"""LangChain's words, as its own limits have them."""
RUN_BUDGET = "run_budget"
"""The finish reason of an agent's last message when the money of its run is used up."""
_ToolResult = Any
"""A `ToolMessage`, or a `Command` of LangGraph."""

_ENDINGS = {
    Language.VI: (
        "Tôi phải dừng ở đây dù việc chưa xong: ngân sách cho việc này là {limit}, đã chi {spent}{held}, còn {left}, "
        "mà bước tiếp theo có thể tốn đến {needed}. Muốn làm tiếp, hãy tăng ngân sách hoặc yêu cầu ít hơn."
    ),
    Language.EN: (
        "I have to stop here, before the task is done: of its budget of {limit}, {spent} is spent{held} and {left} is "
        "left, while the next step may cost up to {needed}. To go on, raise the budget, or ask for less."
    ),
}
_HELD = {
    Language.VI: ", đang giữ {held} cho các bước chưa xong",
    Language.EN: ", {held} is held for steps under way,",
}
_TOOL_STOPPED = (
    "Stopped: of the budget of {limit} of {scope}, {spent} is spent{held} and {left} is left, while this step may cost "
    "up to {needed}. Answer with what is known by now."
)


class RunBudgetMiddleware(AgentMiddleware[Any, Any, Any]):
    """Holds all that an agent asks within the budget of its run. One agent may serve many runs at once."""

    def __init__(
        self, *, run: str | None = None, max_cost_usd: Any = None, exit_behavior: ExitBehavior = "end"
    ) -> None:
        """Count for `run`, else for that of `run_config`, else for the `thread_id` of LangGraph's config.

        Where the agent is asked within a run, as a tool of another agent is, `run` names a part of that.
        `exit_behavior` says what becomes of an agent whose money is used up: `end` answers with a message
        whose `finish_reason` is `run_budget`, `error` raises BudgetExceededError.

        Raises:
            InvalidRequestError: no name of a run, no amount of dollars, or another `exit_behavior`.
        """
        super().__init__()
        if exit_behavior not in {"end", "error"}:
            raise InvalidRequestError(f"'exit_behavior' must be 'end' or 'error', got {exit_behavior!r}")
        share = Run.of("any" if run is None else run, max_cost_usd)
        self._run_name = None if run is None else share.name
        self._most = share.max_cost_nusd
        self._ends = exit_behavior == "end"

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any] | AIMessage:
        """Ask the model within the run.

        Raises:
            BudgetExceededError: the run's, where the agent is to end so; always that of another scope.
            InvalidRequestError: nobody names a run, or the model is none of the orchestrator's.
        """
        run = self._checked_run(request)
        try:
            with counting_inside(run):
                return handler(request)
        except BudgetExceededError as refusal:
            return self._ending(refusal, run, request)

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any] | AIMessage:
        """Ask the model within the run; see `wrap_model_call`."""
        run = self._checked_run(request)
        try:
            with counting_inside(run):
                return await handler(request)
        except BudgetExceededError as refusal:
            return self._ending(refusal, run, request)

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], _ToolResult]
    ) -> _ToolResult:
        """Use a tool within the run.

        Raises:
            BudgetExceededError: as `wrap_model_call`.
        """
        config = request.runtime.config
        run = self._run(config)
        try:
            with counting_inside(run, config):
                return handler(request)
        except BudgetExceededError as refusal:
            return self._stopped(refusal, run, request)

    async def awrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], Awaitable[_ToolResult]],
    ) -> _ToolResult:
        """Use a tool within the run; see `wrap_tool_call`."""
        config = request.runtime.config
        run = self._run(config)
        try:
            with counting_inside(run, config):
                return await handler(request)
        except BudgetExceededError as refusal:
            return self._stopped(refusal, run, request)

    def _checked_run(self, request: ModelRequest[Any]) -> Run:
        if not isinstance(request.model, ChatInRun):
            raise InvalidRequestError(
                f"RunBudgetMiddleware holds the calls of orchestrator.chat_model(...), and the agent's model is a "
                f"{type(request.model).__name__}, which asks without it"
            )
        return self._run(None)

    def _run(self, config: RunnableConfig | None) -> Run:
        """Return the run that the agent's calls under a config count for.

        Raises:
            InvalidRequestError: nobody names one.
        """
        around = run_around(config)
        if around is not None:
            return around.part(self._run_name or around.name, self._most)
        if self._run_name is not None:
            return Run(self._run_name, self._most)
        thread = ensure_config(config).get("configurable", {}).get("thread_id")
        if thread is None:
            raise InvalidRequestError(
                "nobody says which run the agent's calls count for: RunBudgetMiddleware(run='...'), "
                "config=run_config('...') for one task, or config={'configurable': {'thread_id': '...'}}"
            )
        return Run(str(thread), self._most)

    def _ending(self, refusal: BudgetExceededError, run: Run, request: ModelRequest[Any]) -> AIMessage:
        """Return the agent's last message.

        Raises:
            BudgetExceededError: the agent is to end with the error, or it is none of the run's.
        """
        if not self._ends or not _is_of(refusal, run):
            raise refusal
        language = reply_language(
            to_wire(request.messages), named=getattr(request.model, "language", None), otherwise=Language.EN
        )
        return AIMessage(
            _ENDINGS[language or Language.EN].format(**_amounts(refusal, language or Language.EN)),
            response_metadata={
                "finish_reason": RUN_BUDGET,
                "run_budget": {
                    "scope": refusal.scope,
                    "limit_usd": usd_text(refusal.limit),
                    "spent_usd": usd_text(_spent(refusal)),
                    "held_usd": usd_text(refusal.held),
                    "left_usd": usd_text(refusal.left),
                    "needed_usd": usd_text(refusal.needed),
                },
            },
        )

    def _stopped(self, refusal: BudgetExceededError, run: Run, request: ToolCallRequest) -> ToolMessage:
        """Return what the model reads in the place of a tool's result; the agent may have money for it."""
        if not self._ends or not _is_of(refusal, run):
            raise refusal
        return ToolMessage(
            _TOOL_STOPPED.format(scope=refusal.scope, **_amounts(refusal, Language.EN)),
            name=request.tool_call["name"],
            tool_call_id=request.tool_call["id"],
            status="error",
        )


def _is_of(refusal: BudgetExceededError, run: Run) -> bool:
    """Return whether it is the money of the run that is used up, of one around it, or of a part of it."""
    own = f"run:{run.name}"
    return refusal.scope.startswith(f"{own}/") or refusal.scope in {f"run:{name}" for name in run.lineage}


def _spent(refusal: BudgetExceededError) -> NanoUsd:
    return NanoUsd(max(0, refusal.limit - refusal.left - refusal.held))


def _amounts(refusal: BudgetExceededError, language: Language) -> dict[str, str]:
    return {
        "limit": format_usd(refusal.limit),
        "spent": format_usd(_spent(refusal)),
        "held": _HELD[language].format(held=format_usd(refusal.held)) if refusal.held else "",
        "left": format_usd(refusal.left),
        "needed": format_usd(refusal.needed),
    }
