"""The orchestrator: opens, asks, streams, explains, reloads, closes; `pipeline.steps` is a request's way."""

import logging
import weakref
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import Any, Self, Unpack

from orchestrator.cache.response_cache import ReplyCache
from orchestrator.config.loader import Config, load_config
from orchestrator.config.placeholder_keys import with_placeholder_keys
from orchestrator.config.watcher import ConfigRefusal, ConfigWatch
from orchestrator.core.alerts import Alerts
from orchestrator.core.background_loop import BackgroundLoop, Job
from orchestrator.core.clock import Clock, SystemClock
from orchestrator.core.json_log import name_request
from orchestrator.core.live_object import LiveObject
from orchestrator.core.plan import Plan
from orchestrator.core.reply import ChatReply
from orchestrator.core.request import ChatRequest, Message, with_run_around
from orchestrator.core.request_fields import RequestFields
from orchestrator.dispatch.services import AnswerCheck
from orchestrator.dispatch.transport import Transport
from orchestrator.embeds import Embeds
from orchestrator.lends import Lends
from orchestrator.looks import Looks
from orchestrator.pipeline.call import Call
from orchestrator.pipeline.hits import Hits
from orchestrator.pipeline.planning import planned_for
from orchestrator.pipeline.recorded_answers import AnswerFile, answer_file
from orchestrator.pipeline.services import ConfigSnapshot, PipelineServices
from orchestrator.pipeline.steps import build, build_embedding
from orchestrator.providers.local.model import LocalModel
from orchestrator.providers.opening import Connections, open_transport
from orchestrator.streaming.reply_stream import ReplyStream, StreamSink

logger = logging.getLogger("orchestrator")

FIXED_SETTINGS = ("ledger", "idempotency", "local_model", "server", "telemetry", "alerts.path")
"""What is opened once, and not again for a changed configuration."""


class Orchestrator(LiveObject, Looks, Lends, Embeds):
    """One way to many models: estimated, cached, routed, paid for within budgets, and explained.

    Thread-safe; use one for the whole process. The methods without an `a` in front work in any
    synchronous code, a notebook included; those with one in any event loop.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock | None = None,
        watch: bool = False,
        transport: Transport | None = None,
        checks: Mapping[str, AnswerCheck] | None = None,
        answers: AnswerFile | None = None,
    ) -> None:
        """Make an orchestrator of a loaded configuration; nothing is opened or started before it is needed.

        `watch` takes a changed file over while the program runs; `transport` replaces the way to providers;
        `checks` are the functions that policies of config.yaml name; `answers` is a file that answers come
        from and are written to.
        """
        self._transport = transport
        clock = clock or SystemClock()
        self._config_since = clock.now()
        self._alerts = Alerts()
        self._connections = Connections()
        self._loop = BackgroundLoop("orchestrator", at_end=self._connections.close)
        self._local_model = LocalModel(config.settings.local_model)
        self._services = PipelineServices.of(config, clock=clock, alerts=self._alerts, checks=checks)
        self._answer = build(self._services, answers)
        # A file of answers comes before the cache.
        self._hits = Hits(self._services, self._loop.submit) if answers is None else None
        self._answer_embedding = build_embedding(self._services, answers)
        self._answers = answers
        self._snapshot = self._snapshot_of(config, ReplyCache(config.settings.cache))
        self._watch = ConfigWatch(config, take_over=self.reload, clock=clock) if watch else None
        self._finalizer = weakref.finalize(self, _close, self._loop, self._services, self._local_model)

    @classmethod
    def from_config(
        cls,
        path: Path | str | None = None,
        *,
        clock: Clock | None = None,
        watch: bool = True,
        checks: Mapping[str, AnswerCheck] | None = None,
        record: Path | str | None = None,
        replay: Path | str | None = None,
    ) -> Self:
        """Make an orchestrator from a config.yaml.

        Without `path`: $ORCHESTRATOR_CONFIG, ./config.yaml, or the one embedded in the package.
        `record` is a file of answers: what it has costs nothing, the rest is asked and written into it.
        With `replay` nobody is asked, and no key is needed. The file holds prompts: it is yours to keep.

        Raises:
            ConfigError: the file cannot be used; it says where and what to do.
            StateError: the answers cannot be read, or both files are named.
        """
        answers = answer_file(record=record, replay=replay)
        clock = clock or SystemClock()
        today = clock.now().date()
        return cls(
            load_config(
                path, today=today, environment=None if replay is None else with_placeholder_keys(path)
            ),
            clock=clock,
            watch=watch and replay is None,
            checks=checks,
            answers=answers,
        )

    @property
    def config(self) -> Config:
        """Return the configuration in force."""
        return self._snapshot.config

    @property
    def config_since(self) -> datetime:
        """Return since when it is in force in this process."""
        return self._config_since

    @property
    def config_refusal(self) -> ConfigRefusal | None:
        """Return the latest change of the file that was refused, None where there was none."""
        return None if self._watch is None else self._watch.refusal

    def complete(
        self, prompt: ChatRequest | str | Sequence[Message], **overrides: Unpack[RequestFields]
    ) -> ChatReply:
        """Answer a prompt; `overrides` are fields of `ChatRequest` and sampling parameters.

        Raises:
            RequestError: the request cannot be served as it is.
            BudgetExceededError: a limit would be passed; nothing was sent.
            UnavailableError: no deployment answered before the deadline.
        """
        met = self._met(prompt, overrides)
        return self._loop.run(self._serve(met)) if isinstance(met, Call) else met

    async def acomplete(
        self, prompt: ChatRequest | str | Sequence[Message], **overrides: Unpack[RequestFields]
    ) -> ChatReply:
        """Answer a prompt, from any event loop; see `complete`."""
        met = self._met(prompt, overrides)
        return await self._loop.join(self._serve(met)) if isinstance(met, Call) else met

    def stream(
        self, prompt: ChatRequest | str | Sequence[Message], **overrides: Unpack[RequestFields]
    ) -> ReplyStream:
        """Answer a prompt piece by piece; iterate with `for` or `async for`, then see `.reply`.

        A stream that breaks off is finished by another attempt, or as `on_break` says. Raises what
        `complete` raises, from the iteration, and StreamInterruptedError where no attempt could finish it.
        """
        request = self._request(prompt, overrides)
        return ReplyStream(self._loop, lambda sink: self._serve_pieces(request, sink))

    def begin(self, work: Coroutine[Any, Any, None]) -> Job[None]:
        """Start `work` of our own on the background loop; it ends at the latest with `close`."""
        return self._loop.submit(work)

    def reload(self, config: Config) -> None:
        """Use another configuration from the next request on; requests under way keep theirs.

        Raises:
            ConfigError: its days are not those that the ledger counts, so nothing could be sent by it.
        """
        old, new = self.config.settings, config.settings
        self._services.adopt(config)
        cache = self._snapshot.cache if new.cache == old.cache else ReplyCache(new.cache)
        self._snapshot = self._snapshot_of(config, cache)
        self._config_since = self._services.clock.now()
        for name in FIXED_SETTINGS:
            value = attrgetter(name)
            if value(old) != value(new):
                logger.warning("a changed '%s' in config.yaml takes effect after a restart", name)

    def warm_up(self, *, native: bool = False) -> None:
        """Load and open what requests will need: call it while a service starts; LiteLLM takes seconds.

        With `native` also the vendors' clients, seconds more, in which every thread that asks for its first
        would wait.
        """
        self._loop.run(self._snapshot.transport.get_ready())
        self._loop.run(self._services.ledger.aopen())
        if native:
            from orchestrator.metering.langchain_clients import load_vendors  # noqa: PLC0415 -- takes seconds

            load_vendors()

    def close(self) -> None:
        """Cancel what runs, book it, and close everything. Closing twice does nothing.

        Raises:
            LedgerError: bookings that were owed cannot be written to a file that is there; their holds stay
                counted. All is closed.
        """
        if self._watch is not None:
            self._watch.close()
        try:
            self._finalizer()
        finally:
            self._snapshot.cache.close()
            self._services.kept_replies.close()

    def _snapshot_of(self, config: Config, cache: ReplyCache) -> ConfigSnapshot:
        transport = self._transport or open_transport(config.catalog, self._local_model, self._connections)
        return ConfigSnapshot(config, transport, cache)

    def _request(
        self, prompt: ChatRequest | str | Sequence[Message], overrides: RequestFields
    ) -> ChatRequest:
        if not isinstance(prompt, ChatRequest):
            overrides.setdefault("use_case", self._snapshot.config.settings.default_use_case)
        return with_run_around(ChatRequest.of(prompt, **overrides))

    def _met(
        self, prompt: ChatRequest | str | Sequence[Message], overrides: RequestFields
    ) -> ChatReply | Call:
        """Return what the cache answers at once, else the call that goes to the loop."""
        self._loop.check_open()
        call = Call.of(self._request(prompt, overrides), self._snapshot, clock=self._services.clock)
        return call if self._hits is None else self._hits.look(call)

    async def _serve(self, call: Call) -> ChatReply:
        name_request(call.logged)
        return call.names.in_reply(await self._answer(call))

    async def _serve_pieces(self, request: ChatRequest, sink: StreamSink) -> ChatReply:
        call = Call.of(request, self._snapshot, clock=self._services.clock, sink=sink)
        sink.request_id = call.id
        return await self._serve(call)

    async def _explain(self, request: ChatRequest) -> Plan:
        call = Call.of(request, self._snapshot, clock=self._services.clock)
        return planned_for(call, self._services).plan


def _close(loop: BackgroundLoop, services: PipelineServices, local_model: LocalModel) -> None:
    loop.close()
    with closing(local_model), closing(services.contents):
        services.ledger.close()
