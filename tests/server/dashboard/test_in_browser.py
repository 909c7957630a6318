"""The pages in a real browser: the script fetches data with the key of the address, and names start nothing."""

import html
import shutil
import subprocess

import pytest

from orchestrator.access.api_keys import Role

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
