"""Pictures of the dashboard, as a browser shows it in front of practice providers.

    python scripts/pictures.py                   # those of the README, into docs/pictures
    python scripts/pictures.py --all FOLDER      # every page, in both languages, wide and narrow, light and dark

Starts `orchestrator serve --demo` on a free port and Chromium beside it, and ends both. Returns 1 where a page is
wider than its window.
"""

import argparse
import asyncio
import base64
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from orchestrator.server.dashboard.shell import PAGES

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTHS, SCHEMES, LANGUAGES = (1280, 390), ("light", "dark"), ("en", "vi")
TRAFFIC_S = 45
"""How long the practice traffic runs before pictures are taken: long enough for something on every page."""
WAIT_S = 60
HEIGHT = 900
FILLED = "document.querySelector('#content section, #content dl, #content form, #content details, #content > p:not(.soft)') !== null"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
FIRST_REQUEST = "document.querySelector('td a')?.getAttribute('href') || ''"


@dataclass(frozen=True, slots=True)
class View:
    """A page as somebody sees it."""

    page: str
    language: str
    width: int
    scheme: str
    is_whole: bool = False
    """Down to its end, and not only the first window."""

    @property
    def name(self) -> str:
        """Return the name of its file."""
        return f"{self.page.partition('/')[0]}-{self.language}-{self.width}-{self.scheme}.png"


README_VIEWS = {
    "dashboard-en.png": View("overview", "en", 1280, "light"),
    "dashboard-vi.png": View("overview", "vi", 1280, "light"),
    "models-en.png": View("models", "en", 1280, "dark"),
    "models-vi.png": View("models", "vi", 1280, "dark"),
}


class Tab:
    """A tab of Chromium, spoken to by its own protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Speak through an open socket."""
        self._socket = socket
        self._numbers = itertools.count(1)

    async def ask(self, method: str, **params: Any) -> Any:
        """Return what the browser answers to a command."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            message = await self._socket.receive_json()
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]

    async def value(self, expression: str) -> Any:
        """Return what a script is worth in the page."""
        answer = await self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until a script is true in the page."""
        async with asyncio.timeout(WAIT_S):
            while not await self.value(expression):  # noqa: ASYNC110 -- the page is another program
                await asyncio.sleep(0.1)

    async def show(self, address: str, view: View) -> int:
        """Open a page and wait for its data; return by how many pixels it is too wide."""
        await self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=view.width, height=HEIGHT, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        scheme = [{"name": "prefers-color-scheme", "value": view.scheme}]
        await self.ask("Emulation.setEmulatedMedia", features=scheme)
        await self.ask("Page.navigate", url=f"{address}/dashboard/{view.page}?lang={view.language}")
        path = json.dumps(f"/dashboard/{view.page}")
        await self.until(f"location.pathname === {path} && document.readyState === 'complete' && {FILLED}")
        return int(await self.value(OVERFLOW))

    async def picture(self, view: View) -> bytes:
        """Return what the tab shows, as PNG."""
        answer = await self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=view.is_whole)
        return base64.b64decode(answer["data"])


@contextmanager
def demo(home: Path) -> Iterator[tuple[str, str]]:
    """Run the server with practice traffic; yields its address and its key."""
    command = [sys.executable, "-m", "orchestrator", "serve", "--demo", "--port", "0"]
    environment = {**os.environ, "ORCHESTRATOR_HOME": str(home)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        try:
            for line in server.stdout or ():
                if line.startswith("dashboard: "):
                    address, _, key = line.removeprefix("dashboard: ").strip().partition("/dashboard#key=")
                    yield address, key
                    return
            raise RuntimeError("the server did not say where its dashboard is")
        finally:
            server.terminate()


@asynccontextmanager
async def browser(profile: Path) -> AsyncIterator[Tab]:
    """Run Chromium; yields a tab of it."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise SystemExit("no Chromium here: apt-get install chromium")
    options = (
        "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--hide-scrollbars", f"--user-data-dir={profile}", "--remote-debugging-port=0", "about:blank",
    )  # fmt: skip
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(program, *options, stdout=quiet, stderr=quiet)
    try:
        async with asyncio.timeout(WAIT_S):
            while not (port := _port_of(profile)):  # noqa: ASYNC110 -- the browser writes a file
                await asyncio.sleep(0.1)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [tab for tab in await answer.json() if tab["type"] == "page"]
            async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                yield Tab(socket)
    finally:
        process.terminate()
        await process.wait()


def _port_of(profile: Path) -> str:
    """Return the port that Chromium listens on, empty while it does not yet."""
    port = profile / "DevToolsActivePort"
    return port.read_text(encoding="ascii").partition("\n")[0] if port.exists() else ""


async def take(
    address: str, key: str, profile: Path, *, is_all: bool, wait_s: int
) -> tuple[dict[str, bytes], int]:
    """Return the pictures by their names, and how many pages were too wide."""
    pictures: dict[str, bytes] = {}
    too_wide = 0
    async with browser(profile) as tab:
        await asyncio.sleep(wait_s)
        await tab.ask("Page.navigate", url=f"{address}/dashboard/requests?lang=en#key={key}")
        await tab.until(f"{FILLED} && {FIRST_REQUEST} !== ''")
        request = str(await tab.value(FIRST_REQUEST)).partition("?")[0].removeprefix("/dashboard/")
        for name, view in (_every_view(request) if is_all else README_VIEWS).items():
            excess_px = await tab.show(address, view)
            too_wide += excess_px > 0
            pictures[name] = await tab.picture(view)
            print(name, f"too wide by {excess_px} px" if excess_px > 0 else "")
    return pictures, too_wide


def _every_view(request: str) -> dict[str, View]:
    views = (
        View(page, language, width, scheme, is_whole=True)
        for page in PAGES
        for language, width, scheme in itertools.product(LANGUAGES, WIDTHS, SCHEMES)
    )
    of_request = (
        View(request, language, width, scheme, is_whole=True)
        for language, width, scheme in itertools.product(LANGUAGES, WIDTHS, SCHEMES)
    )
    named = {view.name: view for view in views}
    return named | {f"one-{view.name}": view for view in of_request}


def main() -> int:
    """Return 0 when no page was wider than its window."""
    parser = argparse.ArgumentParser(description="pictures of the dashboard")
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="every page, into this folder")
    parser.add_argument("--wait-s", type=int, default=TRAFFIC_S, help="seconds of traffic before the first")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        home = Path(name)
        with demo(home / "state") as (address, key):
            taking = take(
                address, key, home / "browser", is_all=options.all is not None, wait_s=options.wait_s
            )
            pictures, too_wide = asyncio.run(taking)
    folder: Path = options.all or FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for picture, content in pictures.items():
        (folder / picture).write_bytes(content)
    return min(1, too_wide)


if __name__ == "__main__":
    sys.exit(main())
