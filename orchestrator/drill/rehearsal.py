"""A rehearsal: an orchestrator in front of practice providers of its own. No key, no network, nothing to pay.

    with rehearsal() as orchestrator:
        print(orchestrator.complete("Đơn DH1001 của tôi ở đâu?").text)

Every answer says that it is a practice answer. Routes, prices, budgets and fallbacks are those of a
configuration; its ledger and its cache are new, and gone at the end. No provider of it, no channel of its
alerts and no collector is reached.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.client import Orchestrator
from orchestrator.config.loader import embedded_path
from orchestrator.core.clock import SystemClock
from orchestrator.drill.practice_config import practice_models, practice_prices, rehearsed_config
from orchestrator.practice import PracticeServer


def practice_server(path: Path | str | None = None, **options: Any) -> PracticeServer:
    """Return practice providers with the models and the prices of a configuration, to be entered with `with`.

    `path` as in `rehearsal`; `options` are those of `PracticeServer`.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    config_path = embedded_path() if path is None else Path(path)
    prices = practice_prices(config_path, today=SystemClock().now().date(), environment={})
    return PracticeServer(**{"prices": prices, "models": practice_models(prices), **options})


@contextmanager
def rehearsal(path: Path | str | None = None) -> Iterator[Orchestrator]:
    """Open an orchestrator whose providers are practice ones; all is closed and deleted at the end.

    `path` is a config.yaml, None the one in the package.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    config_path = embedded_path() if path is None else Path(path)
    today = SystemClock().now().date()
    with (
        tempfile.TemporaryDirectory(prefix="orchestrator-rehearsal-", ignore_cleanup_errors=True) as home,
        practice_server(config_path) as server,
        Orchestrator(rehearsed_config(config_path, server, home=Path(home), today=today)) as opened,
    ):
        yield opened
