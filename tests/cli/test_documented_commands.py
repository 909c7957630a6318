"""The commands that README and how-tos show are run, page by page and from top to bottom, as a reader would."""

import copy
import itertools
import re
import shlex
from pathlib import Path

import orjson
import pytest
import yaml

from scripts import docs

PAGES = [
    docs.ROOT / "README.md",
    docs.ROOT / "README.vi.md",
    *sorted((docs.ROOT / "docs/how-to").glob("*.md")),
]
WITH_SETTINGS = {"experiments.md"}
"""Pages whose commands are about what their own YAML sets."""
ELSEWHERE = {
    # They run until they are stopped, or for minutes, and have tests of their own.
    "demo": "tests/cli/test_demo.py",
    "serve": "tests/cli/test_serve.py",
    "practice": "tests/cli/test_practice.py",
    "practice --fault openrouter:status=503": "tests/cli/test_practice.py",
    "drill": "tests/cli/test_drill.py",
    # It needs a module in the reader's own folder.
    "chains.triage": "tests/cli/test_chain.py",
    # No practice provider stands in for it under this name.
    "doctor --provider anthropic": "tests/providers/litellm",
}
CODES = {
    # Of a ledger that is minutes old nothing is known of these days.
    "whatif new.yaml --since 2026-11-01 --until 2026-11-15 --seed 1": 2,
    # Nothing is proven yet.
    "experiment promote support-luna": 2,
    # One row proves nothing: the reference stays.
    "calibrate": 1,
    # A practice answer is none of the labels.
    "eval --data golden.jsonl --scorer label": 1,
}
REQUEST, KEY, BACKUP = "01a222cf842f760a", "3f9a1c2b7d10", "/backups/"


def lines_of(page: Path) -> list[str]:
    """Return the commands of a page, each as one line without its comment and without `> file`."""
    found = []
    for block in docs.blocks(page, "bash", "console"):
        for line in block.code.replace("\\\n", " ").splitlines():
            shown = re.match(r"(?:\$ )?(?:\.venv/bin/)?orchestrator (.*)", line)
            if shown is not None:
                found.append(shlex.join(shlex.split(shown[1].split(" > ")[0], comments=True)))
    return found


def is_elsewhere(line: str) -> bool:
    return (
        line in ELSEWHERE
        or line.split(maxsplit=1)[0] in {"serve", "demo", "drill"}
        or "chains.triage" in line
    )


@pytest.fixture
def folder(tmp_path, monkeypatch, shipped_data):
    """A reader's folder: its own config.yaml, and a data set of one row."""
    settings = {**shipped_data, "local_model": {"enabled": False}}  # it takes seconds to load
    for name in ("config.yaml", "new.yaml"):
        (tmp_path / name).write_bytes(orjson.dumps(settings))
    row = '{"prompt": "Is DH1001 a delivery?", "expected": "delivery", "language": "en"}\n'
    (tmp_path / "golden.jsonl").write_text(row, encoding="utf-8")
    monkeypatch.delenv("ORCHESTRATOR_CONFIG")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if lines_of(page)], ids=lambda page: page.name)
def test_every_command_does_what_its_page_shows(page, run, practice, folder):
    if page.name in WITH_SETTINGS:
        settings = orjson.loads((folder / "config.yaml").read_bytes())
        docs._merge(settings, yaml.safe_load(docs.blocks(page, "yaml")[0].code))
        (folder / "config.yaml").write_bytes(orjson.dumps(settings))
    asked = run("ask", "Where is order DH1001?", "--tenant", "acme", "--json").json["request_id"]
    key = run("keys", "make", "--tenant", "acme", "--json").json["id"]
    wrong = []
    for line in lines_of(page):
        if is_elsewhere(line):
            continue
        words = shlex.split(line.replace(REQUEST, asked).replace(" ID ", f" {asked} ").replace(KEY, key))
        words = [word.replace(BACKUP, f"{folder}/") for word in words]
        if words[0] == "practice" and words[1] != "kinds":
            words += ["--port", str(practice.port)]
        if words[0] in {"eval", "calibrate"}:
            words += ["--yes"]  # who reads it is asked on his terminal
        ran = run(*words)
        if ran.code != next((code for beginning, code in CODES.items() if line.startswith(beginning)), 0):
            wrong.append((line, ran.code, ran.err))
    assert wrong == []


def shown_in(page: Path, command: str) -> list[str]:
    """Return what a page's console example shows below a command, up to the next one or to `...`."""
    block = next(one for one in docs.blocks(page, "console") if f"$ {command}" in one.code)
    below = block.code.split(f"$ {command}", 1)[1].splitlines()[1:]
    return list(itertools.takewhile(lambda line: line != "..." and not line.startswith("$ "), below))


@pytest.mark.parametrize("page", PAGES[:2], ids=lambda page: page.name)
def test_check_and_route_say_what_the_readme_shows(page, run, practice, folder, shipped_data):
    example = next(one for one in docs.blocks(page, "yaml") if "primary" in one.code)
    first = re.search(r"^ {4}primary: \{deployment: ([\w./-]+)", example.code, re.MULTILINE)[1]
    shipped = (docs.ROOT / "config.yaml").read_text(encoding="utf-8")
    at = shipped.index("primary: {deployment:", shipped.index("\nuse_cases:"))
    mistyped = re.sub(r"(?<=deployment: )[\w./-]+", first.replace("sonnet", "sonet"), shipped[at:], count=1)
    (folder / "config.yaml").write_text(shipped[:at] + mistyped, encoding="utf-8")
    assert run("config", "check").err.split() == " ".join(shown_in(page, "orchestrator config check")).split()
    settings = copy.deepcopy(shipped_data)
    for deployment in settings["deployments"].values():
        deployment.get("price", {}).pop("changes", None)  # the figures are of the day they were shown
    docs._merge(settings, yaml.safe_load(example.code))
    (folder / "config.yaml").write_bytes(orjson.dumps(settings))
    shown = shown_in(page, 'orchestrator route "Where is my order DH1001?"')
    assert run("route", "Where is my order DH1001?").out.splitlines()[: len(shown)] == shown
