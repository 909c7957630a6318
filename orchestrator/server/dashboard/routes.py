"""The dashboard's addresses: pages without data, and their parts, which a key with `read` opens.

A key with `operate` sees every tenant; any other sees its own tenant alone. The page's script sends the key
in a header and in no cookie, so no other site can have a browser send it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from datetime import date
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from orchestrator.access.api_keys import Role
from orchestrator.catalog.models import Mode
from orchestrator.client import Orchestrator
from orchestrator.config.loader import Config
from orchestrator.core.clock import Clock
from orchestrator.core.errors import OrchestratorError
from orchestrator.experiments.standing import standing_of
from orchestrator.ledger.budgets import period_of
from orchestrator.reports.analysis import Analysis, analysis
from orchestrator.reports.span import Span
from orchestrator.reports.usage_report import Filter
from orchestrator.requests.lookup import find_requests
from orchestrator.server.callers import Caller, forbidden
from orchestrator.server.dashboard.config_page import config_page
from orchestrator.server.dashboard.experiment_page import ShownExperiment, experiments, shadow_budgets
from orchestrator.server.dashboard.live_counts import ALL_TENANTS, LiveCounts
from orchestrator.server.dashboard.live_pages import budgets, models, overview
from orchestrator.server.dashboard.provider_page import providers
from orchestrator.server.dashboard.record_pages import Search, request_list, request_page, savings_page
from orchestrator.server.dashboard.shell import PAGES, SECURITY, nowhere, script, shell, style
from orchestrator.server.dashboard.snapshot import Snapshots
from orchestrator.server.dashboard.viewer import Viewer
from orchestrator.server.dashboard.words import DASHBOARD_WORDS, language_for
from orchestrator.server.door import door_of
from orchestrator.server.error_answers import AnswerError, answer_of

_READERS = 2
"""Looks into the ledger's rows at once: a look may take seconds, and requests come first."""
_REPORT_KEPT_S = 60.0
_KEPT_PER_TAKEN = 20
"""Today is read row by row, however many there are: a report may be at work for a twentieth of the time."""
_REPORTS_MAX = 64
_NOT_FOUND = 404
_REQUEST_ID = "{request_id:str}"

_Part = Callable[[Request, Viewer], Awaitable[Iterable[str]]]


def dashboard_routes(orchestrator: Orchestrator, *, clock: Clock) -> tuple[BaseRoute, ...]:
    """Return the routes of the dashboard; from now on it counts what the orchestrator books."""
    parts = _Parts(orchestrator, clock)
    parts_by_path = {
        "overview": parts.overview, "models": parts.models, "budgets": parts.budgets, "providers": parts.providers,
        "requests": parts.requests, f"requests/{_REQUEST_ID}": parts.request, "report": parts.report,
        "experiments": parts.experiments, "config": parts.config,
    }  # fmt: skip
    return (
        Route("/dashboard", _first_page),
        Route("/dashboard/static/dashboard.js", _asset(script(), "text/javascript")),
        Route("/dashboard/static/dashboard.css", _asset(style(), "text/css")),
        *(Route(f"/dashboard/parts/{path}", _answering(part)) for path, part in parts_by_path.items()),
        *(Route(f"/dashboard/{page}", _shell_of(page)) for page in PAGES),
        Route(f"/dashboard/requests/{_REQUEST_ID}", _shell_of("requests")),
        Route("/dashboard/{rest:path}", _nowhere),
    )


class _Parts:
    """What the pages show."""

    def __init__(self, orchestrator: Orchestrator, clock: Clock) -> None:
        self._orchestrator = orchestrator
        self._clock = clock
        self._counts = LiveCounts(clock=clock)
        self._snapshots = Snapshots(orchestrator, self._counts, clock=clock)
        self._reading = asyncio.Semaphore(_READERS)
        self._looking = asyncio.Lock()
        self._reports: OrderedDict[str, tuple[float, Analysis]] = OrderedDict()
        """Until when each tenant's is kept, and what it says."""
        self._experiments: tuple[float, Config, tuple[ShownExperiment, ...]] | None = None
        orchestrator.observe(self._counts)

    async def overview(self, _request: Request, viewer: Viewer) -> Iterable[str]:
        scope = "all" if viewer.tenant is None else f"tenant:{viewer.tenant}"
        live = self._counts.sums(ALL_TENANTS if viewer.tenant is None else viewer.tenant)
        traffic = self._orchestrator.traffic.sums(scope)
        async with self._looking:
            snapshot = await asyncio.to_thread(self._snapshots.latest)
        return overview(viewer, snapshot, live, traffic, since=self._counts.since)

    async def models(self, _request: Request, viewer: Viewer) -> Iterable[str]:
        live = self._counts.sums(ALL_TENANTS if viewer.tenant is None else viewer.tenant)
        known = self._orchestrator.config.catalog.models
        embedding_models = {
            name for name in live.models if name in known and known[name].mode is Mode.EMBEDDING
        }
        return models(viewer, live, embedding_models, since=self._counts.since)

    async def budgets(self, _request: Request, viewer: Viewer) -> Iterable[str]:
        async with self._looking:
            return budgets(viewer, await asyncio.to_thread(self._snapshots.latest))

    async def providers(self, _request: Request, viewer: Viewer) -> Iterable[str]:
        _check_operator(viewer)
        async with self._looking:
            return providers(viewer, await asyncio.to_thread(self._snapshots.latest))

    async def requests(self, request: Request, viewer: Viewer) -> Iterable[str]:
        search = Search.read(request.query_params, viewer, now=self._clock.now())
        async with self._reading:
            rows = await asyncio.to_thread(find_requests, self._orchestrator.ledger_view, search.query)
        return request_list(viewer, search, rows)

    async def request(self, request: Request, viewer: Viewer) -> Iterable[str]:
        identity, orchestrator = request.path_params["request_id"], self._orchestrator
        async with self._reading:
            detail = await asyncio.to_thread(orchestrator.request, identity, tenant=viewer.tenant)
            # A prompt is for operations alone, and only where config.yaml has it kept.
            is_shown = viewer.tenant is None
            content = await asyncio.to_thread(orchestrator.content, detail.request.id) if is_shown else None
        return request_page(viewer, detail, content, with_content=is_shown)

    async def report(self, _request: Request, viewer: Viewer) -> Iterable[str]:
        async with self._reading:
            return savings_page(viewer, await asyncio.to_thread(self._month, viewer.tenant))

    async def experiments(self, _request: Request, viewer: Viewer) -> Iterable[str]:
        _check_operator(viewer)
        async with self._reading:
            return experiments(viewer, await asyncio.to_thread(self._standing))

    async def config(self, _request: Request, viewer: Viewer) -> Iterable[str]:
        _check_operator(viewer)
        orchestrator = self._orchestrator
        return await asyncio.to_thread(
            lambda: tuple(
                config_page(
                    viewer, orchestrator.config, orchestrator.config_refusal, since=orchestrator.config_since
                )
            )
        )

    def _standing(self) -> tuple[ShownExperiment, ...]:
        """Return how every experiment stands; read once a minute, and when config.yaml changes."""
        orchestrator, now_s = self._orchestrator, self._clock.monotonic_s()
        config, kept = orchestrator.config, self._experiments
        if kept is not None and now_s - kept[0] < _REPORT_KEPT_S and kept[1] is config:
            return kept[2]
        zone, standings = (
            config.settings.budgets.time_zone,
            orchestrator.standings() if config.experiments else (),
        )
        shown = tuple(
            ShownExperiment(
                standing_of(each, orchestrator.ledger_view, now=self._clock.now(), time_zone=zone),
                shadow_budgets(standings, each.name),
            )
            for each in config.experiments
        )
        self._experiments = (now_s, config, shown)
        return shown

    def _month(self, tenant: str | None) -> Analysis:
        """Return what is said of the month so far; computed once a minute at most, or seldomer."""
        key, began_s = ALL_TENANTS if tenant is None else tenant, self._clock.monotonic_s()
        kept = self._reports.get(key)
        if kept is not None and began_s < kept[0]:
            return kept[1]
        orchestrator = self._orchestrator
        view, zone = orchestrator.ledger_view, orchestrator.config.settings.budgets.time_zone
        if view.exists:
            with view:
                zone = view.time_zone or zone
        today = date.fromisoformat(period_of(self._clock.now(), zone).day)
        of, span = Filter(tenant=tenant), Span.of_month(f"{today:%Y-%m}")
        computed = analysis(view, orchestrator.config, span, of=of, today=today)
        ended_s = self._clock.monotonic_s()
        kept_s = max(_REPORT_KEPT_S, _KEPT_PER_TAKEN * (ended_s - began_s))
        self._reports[key] = (ended_s + kept_s, computed)
        if len(self._reports) > _REPORTS_MAX:
            self._reports.popitem(last=False)
        return computed


def _answering(part: _Part) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        """Answer with a part, to who may see it."""
        door = door_of(request)
        caller = door.callers.caller_of(request.scope, Role.READ)
        try:
            parts = await part(request, _viewer_of(caller, request))
            return HTMLResponse("".join(parts))
        except OrchestratorError as error:
            raise AnswerError(answer_of(error, now=door.clock.now(), scopes=caller.scopes)) from error

    return answer


def _viewer_of(caller: Caller, request: Request) -> Viewer:
    query, zone = request.query_params, door_of(request).orchestrator.config.settings.budgets.time_zone
    language = language_for(query.get("lang"), request.headers.get("accept-language", ""))
    tenant = None if Role.OPERATE in caller.roles else caller.tenant
    return Viewer(tenant, caller.scopes, language, ZoneInfo(zone))


def _check_operator(viewer: Viewer) -> None:
    if viewer.tenant is not None:
        raise forbidden(DASHBOARD_WORDS[viewer.language]["operators"])


def _shell_of(page: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        language = language_for(request.query_params.get("lang"), request.headers.get("accept-language", ""))
        identity = request.path_params.get("request_id")
        return HTMLResponse(shell(page, language, request_id=identity), headers=SECURITY)

    return answer


def _asset(content: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_request: Request) -> Response:
        return Response(content, media_type=media_type)

    return answer


async def _nowhere(request: Request) -> Response:
    """Answer what is no page of ours as a browser shows it; parts are asked for by the pages' script.

    Raises:
        HTTPException: 404, for a part that there is not.
    """
    path = f"/dashboard/{request.path_params['rest']}"
    if path.startswith("/dashboard/parts/"):
        raise HTTPException(_NOT_FOUND)
    if path.endswith("/"):
        return RedirectResponse(f"{path.rstrip('/')}{_query_of(request)}")
    language = language_for(request.query_params.get("lang"), request.headers.get("accept-language", ""))
    return HTMLResponse(nowhere(language), _NOT_FOUND, headers=SECURITY)


async def _first_page(request: Request) -> Response:
    return RedirectResponse(f"/dashboard/overview{_query_of(request)}")


def _query_of(request: Request) -> str:
    return f"?{request.url.query}" if request.url.query else ""
