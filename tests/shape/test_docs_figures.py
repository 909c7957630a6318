"""The figures that pages tell are those of the program: who changes one is told which page says it."""

import pytest

from orchestrator.alerting.conditions import USUAL_DAYS
from orchestrator.alerting.delivery import _WAIT_MAX_S
from orchestrator.catalog.catalog import ProviderKind
from orchestrator.catalog.litellm_prefixes import CLIENTS
from orchestrator.catalog.price_book import ENDS_SOON_DAYS
from orchestrator.cli.whatif import _SINCE
from orchestrator.client import FIXED_SETTINGS
from orchestrator.core.alerts import AlertKind
from orchestrator.evaluation.calibration import CONFIRM_MIN, least_rows
from orchestrator.evaluation.custom_scorer import LIMIT_S
from orchestrator.experiments.confidence import UNITS_MIN
from orchestrator.ledger.sqlite.runs import RUN_KEPT_FOR
from orchestrator.metering.meter import DEFAULT_MAX_TOKENS
from orchestrator.monitoring.health_checks import _MAX_TOKENS
from orchestrator.pipeline.shadowing import IN_FLIGHT_MAX
from orchestrator.practice.fault_kinds import FaultKind
from orchestrator.providers.wire.body_reading import ANSWER_BYTES_MAX
from orchestrator.providers.wire.sse import EVENT_BYTES_MAX, EVENTS_BYTES_MAX
from orchestrator.reports.live_numbers import PAGE, PAGES_MAX
from orchestrator.reports.recommendation import RecommendationKind
from orchestrator.routing.embedding_plan import _PART_TEXTS_MAX, _PART_TEXTS_MAX_OF
from scripts import docs

WORDS = {6: "six", 8: "eight", 10: "ten", 21: "twenty-one"}
DATA = docs._shipped_settings()
CHATS = sum(model.get("mode") != "embedding" for model in DATA["models"].values())
FAULTS = len(FaultKind) - 1
"""`continues` is none."""
HOW_TO = "docs/how-to"
TOLD = [
    ("README.md", f"fail on demand in {WORDS[FAULTS]} ways"),
    ("README.vi.md", "theo hai mươi mốt cách"),
    ("README.md", f"Anthropic, Azure, {len(CLIENTS) - 2} more of LiteLLM"),
    (f"{HOW_TO}/providers.md", f"and others, {len(CLIENTS)} in all"),
    ("docs/status.md", f"`kind: litellm` | built: {len(CLIENTS)} |"),
    ("docs/status.md", f"built: {CHATS}, {len(DATA['models']) - CHATS} for embeddings"),
    ("docs/status.md", f"recommendations in dollars | built: {WORDS[len(RecommendationKind)]} kinds"),
    (f"{HOW_TO}/alerts.md", f"the median of the last {USUAL_DAYS} days"),
    (f"{HOW_TO}/alerts.md", f"after 1, 2, 4 … {_WAIT_MAX_S:g} s"),
    *((f"{HOW_TO}/alerts.md", f"`{kind}`") for kind in AlertKind),
    (f"{HOW_TO}/data-scientists.md", f"{CONFIRM_MIN} rows at least"),
    (f"{HOW_TO}/data-scientists.md", f"{WORDS[round(LIMIT_S)]} seconds an answer"),
    (
        f"{HOW_TO}/data-scientists.md",
        " | ".join(["rows at least", *(str(least_rows(margin)) for margin in (0.01, 0.02, 0.03, 0.05, 0.1))]),
    ),
    (f"{HOW_TO}/experiments.md", f"each side has {UNITS_MIN} users (shadow: {UNITS_MIN} pairs)"),
    (f"{HOW_TO}/experiments.md", f"{WORDS[IN_FLIGHT_MAX]} at once in a process"),
    (f"{HOW_TO}/feature-teams.md", f"{RUN_KEPT_FOR.days} days after its last call"),
    (
        f"{HOW_TO}/feature-teams.md",
        f"({_PART_TEXTS_MAX:,}, Google {_PART_TEXTS_MAX_OF[ProviderKind.GOOGLE]})",
    ),
    (f"{HOW_TO}/feature-teams.md", f"{DEFAULT_MAX_TOKENS:,} are set"),
    (f"{HOW_TO}/ops.md", f"`routing.max_candidates` ({DATA['routing']['max_candidates']})"),
    (f"{HOW_TO}/ops.md", f"one completion of {_MAX_TOKENS} tokens"),
    (f"{HOW_TO}/ops.md", f"the newest {PAGE * PAGES_MAX:,} requests"),
    (f"{HOW_TO}/ops.md", f"forgotten {RUN_KEPT_FOR.days} days after its last call"),
    (f"{HOW_TO}/ops.md", f"(`ends`), from {ENDS_SOON_DAYS} days before"),
    (f"{HOW_TO}/ops.md", f"the last {_SINCE.removesuffix('d')} days, under both configurations"),
    *((f"{HOW_TO}/ops.md", f"`{kind}`") for kind in FaultKind),
    (
        f"{HOW_TO}/ops.md",
        " and ".join((", ".join(f"`{name}`" for name in FIXED_SETTINGS[:-1]), f"`{FIXED_SETTINGS[-1]}`"))
        + " change with a restart",
    ),
    ("docs/reference/failures.md", f"A body above {ANSWER_BYTES_MAX >> 20} MiB"),
    ("docs/reference/failures.md", f"a line of a stream above {EVENT_BYTES_MAX >> 10} KiB"),
    ("docs/reference/failures.md", f"a stream above {EVENTS_BYTES_MAX >> 20} MiB"),
]


@pytest.mark.parametrize(("page", "told"), TOLD, ids=[f"{page}: {told}" for page, told in TOLD])
def test_a_page_tells_the_figure_of_the_program(page, told):
    text = (docs.ROOT / page).read_text(encoding="utf-8")
    assert told in " ".join(text.split())
