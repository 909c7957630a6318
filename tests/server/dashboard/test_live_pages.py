"""The models page counts requests apart from sends, and a budget's bar says where its pace leads."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from orchestrator.core.language import Language
from orchestrator.core.money import NanoUsd
from orchestrator.ledger.budgets import Window
from orchestrator.ledger.records import BudgetStatus
from orchestrator.resilience.concurrency_limiter import Load
from orchestrator.server.dashboard.live_counts import LiveCounts, LiveSums, ModelCount
from orchestrator.server.dashboard.live_pages import budgets, models
from orchestrator.server.dashboard.snapshot import Snapshot
from orchestrator.server.dashboard.viewer import Viewer

BEGAN = datetime(2026, 11, 23, tzinfo=UTC)
ENGLISH = Viewer(None, frozenset(), Language.EN, ZoneInfo("UTC"))
VIETNAMESE = replace(ENGLISH, language=Language.VI)


def page_of(counts, viewer=ENGLISH, embedding_models=()):
    return "".join(models(viewer, counts, embedding_models, since=BEGAN))


def test_models_show_requests_share_sends_success_times_and_cost():
    counts = {
        "gpt": ModelCount(3, 4, 1, 2_000_000, latency_s=1.5, streams=2, first_token_s=0.5),
        "embedder": ModelCount(1, 1, 0, 1_000),
    }
    page = page_of(LiveSums(2_001_000, counts), embedding_models={"embedder"})
    rows = [row.split("</tr>")[0] for row in page.split("<tr>")[2:]]
    cells = [
        [cell.split("</span></td>")[0].rpartition(">")[2] for cell in row.split("<td")[1:]] for row in rows
    ]
    assert cells[0] == ["gpt", "3", "75.0 %", "4", "75.0 %", "0.50 s", "0.25 s", "$0.002"]
    assert cells[1][:4] == ["embedder · embeddings", "1", "25.0 %", "1"]
    assert cells[2] == ["together", "4", "100.0 %", "5", "80.0 %", "0.38 s", "0.25 s", "$0.002001"]


@pytest.mark.parametrize(("viewer", "words"), [(ENGLISH, "Nothing yet."), (VIETNAMESE, "Chưa có gì.")])
def test_without_a_request_the_models_page_says_so(viewer, words):
    page = page_of(LiveSums(0, {}), viewer)
    assert words in page
    assert "<table" not in page


def test_chats_and_embeddings_are_counted_as_they_are_booked(practised, clock):
    counts = LiveCounts(clock=clock)
    practised.observe(counts)
    list(practised.stream("Hello?", tenant="acme"))
    reply = practised.embed(["Xin chào", "hello"], tenant="acme")
    practised.embed(["Xin chào", "hello"], tenant="acme")
    sums = counts.sums("acme")
    embedded = sums.models.pop(reply.model)
    (chat,) = sums.models.values()
    assert (embedded.requests, embedded.sends, embedded.streams) == (1, 1, 0)
    assert (chat.requests, chat.sends, chat.streams) == (1, 1, 1)
    assert chat.average_first_s <= chat.average_s
    assert embedded.cost_nusd == reply.cost_nusd


def snapshot_of(spent, *, limit=100, passed_h=12):
    day = BudgetStatus(
        "all", Window.DAY, "2026-11-23", NanoUsd(limit), NanoUsd(spent), NanoUsd(0),
        resets_at=BEGAN + timedelta(days=1), begins_at=BEGAN,
    )  # fmt: skip
    return Snapshot(BEGAN + timedelta(hours=passed_h), Load(0, 0), (day,), {}, (), ())


@pytest.mark.parametrize(
    ("spent", "level", "place", "pace"),
    [(10, "low", "19.6", "20.0 %"), (45, "high", "88.2", "90.0 %"), (80, "high", "98.0", "160.0 %"),
     (100, "full", "98.0", "200.0 %")],
)  # fmt: skip
def test_a_bar_has_a_line_where_the_pace_leads(spent, level, place, pace):
    page = "".join(budgets(ENGLISH, snapshot_of(spent)))
    assert f'class="bar {level}"' in page
    assert f'<rect class=mark x="{place}"' in page
    assert f'aria-label="{spent}.0 % used, {pace} at this pace"' in page
    assert f"{pace}</span></td>" in page


def test_a_period_that_has_just_begun_has_no_pace():
    page = "".join(budgets(VIETNAMESE, snapshot_of(10, passed_h=0)))
    assert "class=mark" not in page
    assert "còn quá sớm" in page
