"""The pages in a real browser: the script fetches data with the key of the address, and names start nothing."""

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.access.api_keys import Role
from orchestrator.core.language import Language
from orchestrator.drill.drill import CaseResult
from orchestrator.drill.html_report import page as drill_page
from orchestrator.evaluation.html_page import evaluation_page
from orchestrator.evaluation.summary import standings
from orchestrator.server.dashboard.shell import PAGES, shell, style
from tests.drill.test_html_report import drilled
from tests.drill.test_html_report import result as drill_result
from tests.evaluation.conftest import scored

LONG_S = 300
EVIL = "Đại lý <script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"


@pytest.fixture
def seen(tmp_path):
    """Return a function that opens an address and returns what the page has become."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no Chromium here: apt-get install chromium")

    def look(address):
        options = (
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", f"--user-data-dir={tmp_path / 'browser'}",
            "--virtual-time-budget=3000", "--dump-dom",
        )  # fmt: skip
        command = [browser, *options, address]
        return subprocess.run(command, capture_output=True, check=True, timeout=LONG_S).stdout.decode()

    return look


@pytest.mark.timeout(3 * LONG_S)
def test_a_page_fills_itself_and_a_name_is_text_in_it(running, seen):
    key = running.make_key(roles=(Role.READ, Role.OPERATE))
    reply = running.orchestrator.complete("Hello?", tenant=EVIL)
    page = seen(f"{running.address}/dashboard/requests?lang=vi#key={key}")
    assert html.escape(EVIL, quote=False) in page
    assert "<title>Yêu cầu · NextFlow</title>" in page
    assert f"/dashboard/requests/{reply.request_id}?lang=vi" in page
    assert key not in page


@pytest.mark.timeout(3 * LONG_S)
def test_without_a_key_it_asks_for_one_and_shows_nothing(running, seen):
    running.make_key()
    page = seen(f"{running.address}/dashboard/overview?lang=en")
    assert '<form id="door">' in page
    assert "<dl>" not in page


DARK = "@media (prefers-color-scheme: dark)"
LOOKS = {
    "experiments": {
        "faq": {
            "use_case": "customer_service", "candidate": "openrouter/gpt-6-luna", "mode": "ab", "share": 0.5,
            "metric": "cost",
        },
    },
    # A bar that is full, one that is nearly so, and one that is nearly empty.
    "budgets": {"limits": [{"scope": "all", "day": 9}, {"scope": "tenant:acme", "day": 0.0000001}]},
}  # fmt: skip


def filled(page, part):
    """Return a page as it is when its script has put its data in, with its own style sheet and no script."""
    whole = re.sub(
        r"(<main [^>]*>).*?(</main>)", lambda main: main[1] + part + main[2], shell(page, Language.VI)
    )
    whole = re.sub(r"<script.*?</script>", "", whole.replace("<form id=door hidden>", "<form id=door>"))
    return re.sub(r"<link rel=stylesheet[^>]*>", lambda _: f"<style>{style()}</style>", whole)


def written_pages():
    """Yield the pages that commands write, each with everything on it that has a colour of its own."""
    results = [drill_result(verdict, "the whole answer, degraded: a/b timeout") for verdict in CaseResult]
    yield "drill", drill_page(drilled(*results), "config.yaml", Language.VI)
    words = f"{'delivery ' * 40}{'x' * 200}"
    rows = [
        scored("a", f"model-{name}", score, text=words) for name, score in enumerate((1.0, 0.5, 0.0, None))
    ]
    yield "eval", evaluation_page(rows, standings(rows), ["too low"], language=Language.VI, is_practice=True)


@pytest.mark.timeout(3 * LONG_S)
def test_every_page_is_read_and_reached_in_light_and_in_dark(serve, seen, tmp_path):
    """Contrast AA of every text and bar; every control a stop of the tab key, with a ring that is seen."""
    running = serve(LOOKS)
    key = running.make_key(roles=(Role.READ, Role.OPERATE))
    reply = running.orchestrator.complete("Hello?", tenant="lotus", tags=("sale",))
    pages = dict(written_pages())
    with running.client(key) as client:
        for name in (*PAGES, f"requests/{reply.request_id}"):
            part = client.get(f"/dashboard/parts/{name}", params={"lang": "vi"}).text
            pages[name] = filled(name.partition("/")[0], part)
    frames = [
        f'<iframe title="{name} {theme}" width=390 height=800 srcdoc="{html.escape(page.replace(DARK, media))}">'
        "</iframe>"
        for name, page in pages.items()
        for theme, media in (("light", "@media not all"), ("dark", "@media all"))
    ]
    script = Path(__file__).with_name("accessibility.js").read_text(encoding="utf-8")
    looker = tmp_path / "looker.html"
    looker.write_text(f"<meta charset=utf-8>{''.join(frames)}<script>{script}</script>", encoding="utf-8")
    shown = seen(looker.as_uri())
    assert f"looked at {len(frames)}" in shown
    assert html.unescape(shown.partition('<pre id="faults">')[2].partition("</pre>")[0]) == ""


MEASURE = """
onload = () => { document.body.dataset.wide = [...document.querySelectorAll("iframe")].map(frame =>
  [...frame.contentDocument.querySelectorAll(".wide")].map(each => each.scrollWidth - each.clientWidth)).join(";") }
"""


@pytest.mark.timeout(3 * LONG_S)
def test_a_long_name_leaves_the_columns_behind_it_on_the_page(running, seen, tmp_path):
    """Use case and model stood beyond the edge, for a name was never broken where it was not the first column."""
    key = running.make_key(roles=(Role.READ, Role.OPERATE))
    company = "Công ty TNHH Một Thành Viên Thương Mại Dịch Vụ Xuất Nhập Khẩu Hoàng Long Việt Nam"
    for tenant in (company, "x" * 128):
        running.orchestrator.complete("Hello?", tenant=tenant)
    with running.client(key) as client:
        part = client.get("/dashboard/parts/requests", params={"lang": "vi"}).text
    page = html.escape(filled("requests", part))
    shown = [f'<iframe width={width} height=800 srcdoc="{page}"></iframe>' for width in (1280, 390)]
    looker = tmp_path / "looker.html"
    looker.write_text(f"<meta charset=utf-8>{''.join(shown)}<script>{MEASURE}</script>", encoding="utf-8")
    shown = seen(looker.as_uri())
    assert re.search(r'data-wide="(.*?)"', shown)[1] == "0;0"
