"""Files, functions and lines of text stay short; files are named for what they are about."""

import ast
import io
import tokenize
from pathlib import Path

import pytest

from tests.support.source import FILES, ROOT, Module, extraction, of_every_file

LINES_MAX = 400
LARGER: dict[str, int] = {}
"""Files that are longer for now, with the most they may have; a number here is only ever lowered."""
BODY_LINES_MAX = 40
LARGER_BODIES: dict[str, int] = {}
"""Functions whose body is longer for now, with the most lines it may have; a number is only ever lowered."""
PROSE_COLUMNS_MAX = 110
WIDE_PROSE: dict[str, int] = {}
"""Files with lines of docstrings or comments that are longer for now, and how many; only ever lowered."""
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


def too_long(path: Path, text: str) -> str | None:
    name = path.relative_to(ROOT).as_posix()
    lines, most = len(text.splitlines()), LARGER.get(name, LINES_MAX)
    return f"{name} has {lines} lines, {most} at most" if lines > most else None


@extraction
def bodies(module: Module) -> list[tuple[str, int]]:
    """Return each function with the number of lines of its body, from behind its docstring to its end."""
    lengths = []
    for node in module.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            lengths.append((node.name, body[-1].end_lineno - body[0].lineno + 1 if body else 0))
    return lengths


def long_bodies() -> dict[str, int]:
    return {
        f"{path}: {name}": lines
        for path, lengths in of_every_file(bodies).items()
        for name, lines in lengths
        if lines > BODY_LINES_MAX
    }


@extraction
def wide_prose(module: Module) -> list[int]:
    """Return the lines of docstrings and comments that are too wide, by their numbers.

    A string that stands alone is a docstring: of a module, class, function or attribute.
    """
    lines = module.text.splitlines()
    if max(map(len, lines), default=0) <= PROSE_COLUMNS_MAX:
        return []
    prose = {
        number
        for node in module.nodes
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for number in range(node.lineno, node.end_lineno + 1)
    }
    # What follows code on its line is a directive with its reason, and cannot be wrapped.
    prose |= {
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(module.text).readline)
        if token.type == tokenize.COMMENT and not token.line[: token.start[1]].strip()
    }
    return sorted(number for number in prose if len(lines[number - 1]) > PROSE_COLUMNS_MAX)


def says_nothing(path: Path) -> bool:
    return any(word in EMPTY_WORDS for part in (path.stem, *path.parts[-3:-1]) for word in part.split("_"))


def test_no_file_is_too_long():
    complaints = (too_long(path, path.read_text(encoding="utf-8")) for path in FILES)
    assert [complaint for complaint in complaints if complaint] == []


def test_a_file_that_became_short_is_off_the_list():
    lengths = {name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in LARGER}
    assert [name for name, lines in lengths.items() if lines <= LINES_MAX] == []


def test_no_function_is_too_long():
    assert {name: lines for name, lines in long_bodies().items() if lines > LARGER_BODIES.get(name, 0)} == {}


def test_a_function_that_became_short_is_off_the_list():
    assert sorted(LARGER_BODIES.keys() - long_bodies().keys()) == []


def test_no_docstring_and_no_comment_is_too_wide():
    wide = of_every_file(wide_prose)
    assert {name: lines for name, lines in wide.items() if len(lines) > WIDE_PROSE.get(name, 0)} == {}


def test_a_file_whose_prose_became_narrow_is_off_the_list():
    counts = {name: len(of_every_file(wide_prose)[name]) for name in WIDE_PROSE}
    assert {name: count for name, count in counts.items() if count < WIDE_PROSE[name]} == {}


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


def test_a_long_function_is_noticed_wherever_it_stands_and_its_docstring_is_not_counted():
    statements = "        x = 1\n" * 41
    text = f'class A:\n    async def long(self):\n        """One.\n\n        Two.\n        """\n{statements}'
    assert bodies(Module(text)) == [("long", 41)]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (f'"""{"a" * 107}"""\n', [1]),
        (f'x = 1\n"""Two.\n\n{"a" * 111}\n"""\n', [4]),
        (f"if x:\n    # {'a' * 110}\n    pass\n", [2]),
        (f'"""{"a" * 104}"""\n# {"a" * 108}\n', []),
        (f'x = "{"a" * 111}"\ny = 1  # noqa: S105 -- {"a" * 100}\n', []),
    ],
)
def test_wide_prose_is_noticed_and_wide_code_is_not(text, lines):
    assert wide_prose(Module(text)) == lines


@pytest.mark.parametrize(
    "name", ["orchestrator/utils.py", "orchestrator/budget_manager.py", "chains/helpers/text.py"]
)
def test_a_module_of_an_empty_name_is_noticed(name):
    assert says_nothing(Path(name))
