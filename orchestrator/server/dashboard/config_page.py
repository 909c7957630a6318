"""The configuration in force: since when, its values without a secret, and the last refused change."""

from collections.abc import Iterator
from datetime import datetime

import orjson

from orchestrator.config.effective import effective, masked, secrets_of
from orchestrator.config.loader import Config
from orchestrator.config.watcher import ConfigRefusal
from orchestrator.core.vietnamese import in_language
from orchestrator.ledger.contents import without_secrets
from orchestrator.reports.html_parts import cards, section, text
from orchestrator.server.dashboard.viewer import Viewer
from orchestrator.server.dashboard.words import DASHBOARD_WORDS


def config_page(
    viewer: Viewer, config: Config, refusal: ConfigRefusal | None, *, since: datetime
) -> Iterator[str]:
    """Yield the configuration in force and the last refusal, without a secret."""
    words = DASHBOARD_WORDS[viewer.language]
    yield cards(((words["in_force"], viewer.moment(since)), (words["file"], str(config.path))))
    yield section(words["refusal"], _refused(viewer, refusal, config))
    if config.notices:
        notices = "".join(
            f"<li>{text(in_language(notice, viewer.language))}</li>" for notice in config.notices
        )
        yield section(words["notices"], f"<ul>{notices}</ul>")
    values = "".join(_values_of(name, value) for name, value in effective(config).items())
    yield section(words["values"], values)


def _values_of(name: str, value: object) -> str:
    values = orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode()
    return f"<details><summary>{text(name)}</summary><pre tabindex=0>{text(values)}</pre></details>"


def _refused(viewer: Viewer, refusal: ConfigRefusal | None, config: Config) -> str:
    words = DASHBOARD_WORDS[viewer.language]
    if refusal is None:
        return f"<p>{text(words['no_refusal'])}</p>"
    when = words["refusal_stands" if refusal.stands else "refusal_over"].format(at=viewer.moment(refusal.at))
    reason = masked(without_secrets(refusal.reason, secrets=secrets_of(config.settings)))
    box = " class=refused" if refusal.stands else ""
    return f"<div{box}><p>{text(when)}</p><pre tabindex=0>{text(reason)}</pre></div>"
