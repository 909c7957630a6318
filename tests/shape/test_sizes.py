"""Files stay short and are named for what they are about."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES_MAX = 400
LARGER = {"orchestrator/client.py": 500, "orchestrator/dispatch/dispatcher.py": 480}
"""Files that are longer for now, with the most they may have; a number here is only ever lowered."""
EMPTY_WORDS = {
    "utils",
    "util",
    "helpers",
    "helper",
    "manager",
    "managers",
    "handler",
    "handlers",
    "common",
    "misc",
    "base",
}
"""A module of such a name is about nothing, so anything ends up in it."""

FILES = sorted(path for folder in ("orchestrator", "chains") for path in (ROOT / folder).rglob("*.py"))


def too_long(path: Path, text: str) -> str | None:
    name = path.relative_to(ROOT).as_posix()
    lines, most = len(text.splitlines()), LARGER.get(name, LINES_MAX)
    return f"{name} has {lines} lines, {most} at most" if lines > most else None


def says_nothing(path: Path) -> bool:
    return any(word in EMPTY_WORDS for part in (path.stem, *path.parts[-3:-1]) for word in part.split("_"))


def test_no_file_is_too_long():
    found = (too_long(path, path.read_text(encoding="utf-8")) for path in FILES)
    assert [one for one in found if one] == []


def test_a_file_that_became_short_is_off_the_list():
    lengths = {name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in LARGER}
    assert [name for name, lines in lengths.items() if lines <= LINES_MAX] == []


def test_every_module_is_named_for_what_it_is_about():
    assert [path.relative_to(ROOT).as_posix() for path in FILES if says_nothing(path.relative_to(ROOT))] == []


def test_every_module_tells_in_its_first_line_what_it_is():
    silent = [
        path.relative_to(ROOT).as_posix()
        for path in FILES
        if path.read_text(encoding="utf-8").strip() and not path.read_text(encoding="utf-8").startswith('"""')
    ]
    assert silent == []


def test_a_long_file_is_noticed():
    assert too_long(ROOT / "orchestrator" / "x.py", "a = 1\n" * 400) is None
    assert (
        too_long(ROOT / "orchestrator" / "x.py", "a = 1\n" * 401)
        == "orchestrator/x.py has 401 lines, 400 at most"
    )


@pytest.mark.parametrize(
    "name", ["orchestrator/utils.py", "orchestrator/budget_manager.py", "chains/helpers/text.py"]
)
def test_a_module_of_an_empty_name_is_noticed(name):
    assert says_nothing(Path(name))
