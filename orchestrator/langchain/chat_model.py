"""The orchestrator as a LangChain chat model.

`orchestrator.chat_model("customer_service", tenant="acme")` goes wherever LangChain takes a chat
model: pipes, tools, structured output, streams, batches, agents. Its messages carry in
`response_metadata` the deployment that answered, the cost, the attempts, and whether the answer was
cached or degraded.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Annotated, Any, Literal, Protocol, Self, Unpack, get_args

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LangSmithParams, LanguageModelInput, ModelProfile
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.output_parsers import BaseOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema
from pydantic import (
    AliasChoices,
    BeforeValidator,
    ConfigDict,
    Field,
    SkipValidation,
    ValidationError,
    model_validator,
)

from orchestrator.core.clock import Clock
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.on_break import OnBreak
from orchestrator.core.plan import Plan
from orchestrator.core.quiet_logs import quiet_libraries
from orchestrator.core.reply import ChatReply
from orchestrator.core.request import CacheUse, ChatRequest, Message
from orchestrator.core.request_fields import RequestFields
from orchestrator.core.sampling import SAMPLING_NAMES
from orchestrator.core.unknown_names import unknown
from orchestrator.langchain.batches import PatientRunnable, RawMessage
from orchestrator.langchain.conversation import to_wire
from orchestrator.langchain.messages import (
    Tool,
    to_chunk,
    to_last_chunk,
    to_message,
    to_wire_choice,
    to_wire_tools,
)
from orchestrator.langchain.model_profiles import profile_of
from orchestrator.langchain.progress import WatchedChatModel
from orchestrator.langchain.run_budget import ChatInRun, without_run
from orchestrator.langchain.structured_output import parser_of_calls, parser_of_json
from orchestrator.langchain.tags_as_json import JSON_TAGS, tags_of_json
from orchestrator.langchain.token_counts import tokens_of_messages, tokens_of_text
from orchestrator.langchain.tracing import follow_config
from orchestrator.streaming.reply_stream import ReplyStream

Method = Literal["json_schema", "function_calling", "json_mode"]

_REQUEST_NAMES = (
    "use_case",
    "tenant",
    "user",
    "request_tags",
    "model",
    "max_tokens",
    "max_cost_nusd",
    "run",
    "max_cost_usd",
    "deadline_s",
    "profile_name",
    "cache_use",
    "idempotency_key",
    "graceful",
    "language",
    "on_break",
)
_OURS = {"request_tags": "tags", "profile_name": "profile", "cache_use": "cache", "timeout": "deadline_s"}
"""What a request calls the fields that have another name here, because LangChain has taken theirs."""
_OF_A_RUN = frozenset({"run", "max_cost_usd"})
_NO_RESTART = (
    "on_break='restart' is for Orchestrator.stream: LangChain's chunks only add up; use rescue or error"
)
_LANGCHAIN_ONLY = frozenset({"api_key", "max_retries"})
"""Standard parameters of LangChain that the configuration decides here: taken, and without effect."""


class ChatBackend(Protocol):
    """What the chat model needs of the orchestrator."""

    def complete(self, prompt: Sequence[Message], **overrides: Unpack[RequestFields]) -> ChatReply:
        """Answer."""
        ...

    async def acomplete(self, prompt: Sequence[Message], **overrides: Unpack[RequestFields]) -> ChatReply:
        """Answer."""
        ...

    def stream(self, prompt: Sequence[Message], **overrides: Unpack[RequestFields]) -> ReplyStream:
        """Answer piece by piece."""
        ...

    def explain(self, prompt: Sequence[Message], **overrides: Unpack[RequestFields]) -> Plan:
        """Return the plan: which deployments it would ask."""
        ...

    @property
    def config(self) -> Any:
        """Return the configuration in force."""
        ...

    @property
    def clock(self) -> Clock:
        """Return the time that waits go by."""
        ...


class OrchestratorChat(PatientRunnable[LanguageModelInput, AIMessage], ChatInRun, WatchedChatModel):
    """A chat model that asks the orchestrator; make it with `Orchestrator.chat_model`."""

    model_config = ConfigDict(populate_by_name=True, arbitrary_types_allowed=True, extra="forbid")

    orchestrator: Any = Field(exclude=True, repr=False)
    """The orchestrator that answers; anything with the methods of `ChatBackend`."""
    use_case: str | None = None
    tenant: str = "default"
    user: str | None = None
    request_tags: Annotated[tuple[SkipValidation[str], ...], BeforeValidator(tags_of_json), JSON_TAGS] = ()
    """The budget tags of each request; LangChain's own `tags` are for tracing. A request checks them."""
    model: str | None = Field(default=None, validation_alias=AliasChoices("model", "model_name"))
    """A model, alias or deployment to use instead of the use case's own choice."""
    # Of numbers and flags a request is told what it was given: pydantic reads '1_000' and True as numbers.
    max_tokens: SkipValidation[int | None] = None
    max_cost_nusd: SkipValidation[int | None] = None
    run: str | None = None
    """The run whose budget each request counts against; one of a call's config (`run_config`) comes first."""
    max_cost_usd: Any = None
    """The most that all calls of `run` may cost, in dollars."""
    deadline_s: SkipValidation[float | None] = Field(
        default=None, validation_alias=AliasChoices("deadline_s", "timeout")
    )
    """Seconds for all attempts together; LangChain's standard name `timeout` works too."""
    profile_name: str | None = None
    """The retry profile; LangChain's own `profile` tells what a model can do."""
    cache_use: CacheUse = CacheUse.USE
    """The orchestrator's cache; LangChain's own `cache` is another."""
    idempotency_key: str | None = None
    """For one request: give it to a single call, `chat.invoke(messages, idempotency_key=...)`."""
    graceful: SkipValidation[bool | None] = None
    """When no deployment answers: True gives an apology as a message, False an error, None follows the
    use case."""
    language: str | None = None
    """Of that apology: vi or en."""
    on_break: OnBreak = OnBreak.RESCUE
    """What a stream does when it breaks off: `rescue` or `error`. LangChain's chunks only add up, so none
    of them can say that those before it are void, and `restart` is refused."""
    temperature: SkipValidation[float | None] = None
    top_p: SkipValidation[float | None] = None
    stop: list[str] | None = Field(default=None, validation_alias=AliasChoices("stop", "stop_sequences"))
    seed: SkipValidation[int | None] = None
    presence_penalty: SkipValidation[float | None] = None
    frequency_penalty: SkipValidation[float | None] = None
    reasoning_effort: str | None = None
    response_format: dict[str, Any] | None = None
    parallel_tool_calls: SkipValidation[bool | None] = None
    prompt_cache_key: str | None = None
    streaming: bool = False
    """Stream from the provider even when the caller asks for a whole message."""

    @classmethod
    def of(cls, orchestrator: ChatBackend, **overrides: Any) -> Self:
        """Make a chat model whose requests have the fields `overrides`, named as in `Orchestrator.complete`.

        Raises:
            InvalidRequestError: a field that no request has, or a value that none can have.
        """
        follow_config(orchestrator.config.settings.langchain)
        quiet_libraries()
        taken = {ours: here for here, ours in _OURS.items()}
        try:
            return cls(
                orchestrator=orchestrator,
                **{taken.get(name, name): value for name, value in overrides.items()},
            )
        except ValidationError as exc:
            mistakes = "; ".join(
                ": ".join((*map(str, detail["loc"][:1]), detail["msg"].removeprefix("Value error, ")))
                for detail in exc.errors(include_url=False)
            )
            msg = f"the chat model cannot be made: {mistakes}"
            raise InvalidRequestError(msg) from None

    @model_validator(mode="before")
    @classmethod
    def _only_known(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        known = set(cls.model_fields) | {"model_name", "timeout", "stop_sequences"}
        for name, value in values.items():
            if name not in known and name not in _LANGCHAIN_ONLY:
                raise ValueError(unknown("parameter", name, known))
            if isinstance(value, bytes | bytearray):
                # pydantic would make text of them, and no other entry does.
                raise ValueError(f"'{name}' must be text, got bytes")  # noqa: TRY004 -- pydantic's kind of error
        return {name: value for name, value in values.items() if name not in _LANGCHAIN_ONLY}

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        # What no request could have is told where it stands; a run and a use case may still come.
        fields = {name: value for name, value in self._fields().items() if name not in _OF_A_RUN}
        ChatRequest.of("?", **{"use_case": "any", **fields})
        return self

    def _asks(self) -> Any:
        return self.orchestrator

    @property
    def _llm_type(self) -> str:
        return "nextflow-orchestrator"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return self._fields()

    def _resolve_model_profile(self) -> ModelProfile | None:
        return profile_of(self.orchestrator, use_case=self.use_case, model=self.model)

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop or self.stop, **kwargs)
        params["ls_provider"] = "nextflow-orchestrator"
        params.setdefault("ls_model_name", self.use_case or "default")
        return params

    def bind_tools(
        self,
        tools: Sequence[Tool],
        *,
        tool_choice: Any = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return this model with tools it may call; `tool_choice` as in LangChain: auto, any, a name.

        Raises:
            InvalidRequestError: `tool_choice` names a tool that is not among them.
        """
        wire = to_wire_tools(tools, strict=strict)
        if tool_choice is not None:
            kwargs["tool_choice"] = to_wire_choice(tool_choice, wire)
        return super().bind(tools=wire, **kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        include_raw: bool = False,
        method: Method = "json_schema",
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Return this model with answers of the shape `schema` (a pydantic class, TypedDict or JSON schema).

        With `include_raw` the result is `{"raw": message, "parsed": value, "parsing_error": error}`.
        """
        bound, parser = self._structured(schema, method=method, strict=strict, **kwargs)
        if not include_raw:
            return bound | parser
        parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
        failed = RunnablePassthrough.assign(parsed=lambda _: None)
        raw = RawMessage(raw=bound)  # type: ignore[call-arg]
        return raw | parsed.with_fallbacks([failed], exception_key="parsing_error")

    def _structured(
        self, schema: dict[str, Any] | type, *, method: Method, strict: bool | None, **kwargs: Any
    ) -> tuple[Runnable[LanguageModelInput, AIMessage], BaseOutputParser[Any]]:
        if method not in get_args(Method):
            raise InvalidRequestError(unknown("method", str(method), get_args(Method)))
        traced = {
            "ls_structured_output_format": {"kwargs": {"method": method, "strict": strict}, "schema": schema}
        }
        if method == "function_calling":
            name = to_wire_tools([schema], strict=None)[0]["function"]["name"]
            bound = self.bind_tools([schema], tool_choice=name, strict=strict, **traced, **kwargs)
            return bound, parser_of_calls(schema, name)
        response_format: dict[str, Any] = {"type": "json_object"}
        if method == "json_schema":
            json_schema = convert_to_json_schema(schema, strict=strict)
            described: dict[str, Any] = {"name": json_schema.get("title", "answer"), "schema": json_schema}
            if strict is not None:
                described["strict"] = strict
            response_format = {"type": "json_schema", "json_schema": described}
        return super().bind(response_format=response_format, **traced, **kwargs), parser_of_json(schema)

    def get_num_tokens(self, text: str) -> int:
        """Return about how many tokens a text takes; see `orchestrator.langchain.token_counts`."""
        return tokens_of_text(text)

    def get_num_tokens_from_messages(
        self, messages: Sequence[BaseMessage], tools: Sequence[Tool] | None = None
    ) -> int:
        """Return about how many tokens messages and tools take, rather too many than too few."""
        return tokens_of_messages(to_wire(messages), to_wire_tools(tools or (), strict=None))

    def get_token_ids(self, text: str) -> list[int]:
        """Raise: which tokens a text becomes is known to the model's own vendor alone."""
        msg = "the tokens themselves are not known here; get_num_tokens says about how many they are"
        raise NotImplementedError(msg)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Raise: an orchestrator lives in one process.

        Raises:
            TypeError: says what to do instead.
        """
        msg = (
            "a chat model holds its orchestrator, which lives in one process, and cannot be pickled; "
            "make one there with Orchestrator.from_config().chat_model(...)"
        )
        raise TypeError(msg)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 -- LangChain's signature
        **kwargs: Any,
    ) -> ChatResult:
        fields = self._request_fields(stop, kwargs)
        return _result(self.orchestrator.complete(to_wire(messages), **fields))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 -- LangChain's signature
        **kwargs: Any,
    ) -> ChatResult:
        fields = self._request_fields(stop, kwargs)
        return _result(await self.orchestrator.acomplete(to_wire(messages), **fields))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 -- LangChain's signature
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        fields = self._request_fields(stop, kwargs)
        with self.orchestrator.stream(to_wire(messages), **fields) as stream:
            for delta in stream:
                yield ChatGenerationChunk(message=to_chunk(delta))
            yield ChatGenerationChunk(message=to_last_chunk(stream.reply))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 -- LangChain's signature
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        fields = self._request_fields(stop, kwargs)
        async with self.orchestrator.stream(to_wire(messages), **fields) as stream:
            async for delta in stream:
                yield ChatGenerationChunk(message=to_chunk(delta))
            yield ChatGenerationChunk(message=to_last_chunk(stream.reply))

    def _fields(self) -> dict[str, Any]:
        """Return the fields of every request of this model, named as a request names them."""
        fields = {
            name: getattr(self, name)
            for name in (*_REQUEST_NAMES, *SAMPLING_NAMES)
            if name in type(self).model_fields
        }
        return {_OURS.get(name, name): value for name, value in fields.items() if value not in (None, (), [])}

    def _request_fields(self, stop: list[str] | None, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the request's fields: those of the model, then those of this call."""
        called = {_OURS.get(name, name): value for name, value in kwargs.items() if value is not None}
        fields = {**without_run(self._fields(), called), **called}
        if fields.get("on_break") == OnBreak.RESTART:
            raise InvalidRequestError(_NO_RESTART)
        if stop:
            fields["stop"] = stop
        fields.pop("stream", None)
        return fields


def _result(reply: ChatReply) -> ChatResult:
    message = to_message(reply)
    generation = ChatGeneration(message=message, generation_info={"finish_reason": reply.finish_reason})
    return ChatResult(
        generations=[generation], llm_output={"model_name": reply.model, "request_id": reply.request_id}
    )
