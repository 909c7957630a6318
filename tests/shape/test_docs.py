"""The documents say what the program does: they are written by it, run by it, or compared with it."""

import ast
import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.server import error_answers
from scripts import docs

ROOT = docs.ROOT
PAGES = docs.pages()
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=NAMES)
IN_OUR_WORDS = [
    # The others quote the program or the requirements.
    page
    for page in PAGES
    if page.parent.name != "reference" and page.name not in {"status.md", "architecture.md"}
]
FOR_USERS = [
    page
    for page in PAGES
    if page.parent.name == "how-to" or page.name in {"README.md", "README.vi.md", "status.md", "errors.md"}
]

HOSTS = {
    # The providers' own addresses, and ours.
    "openrouter.ai",
    "generativelanguage.googleapis.com",
    "api.openai.com",
    "127.0.0.1",
    # A resource of Azure's.
    "our-resource.openai.azure.com",
    # Where the vendors of chat tools take alerts, and a name that is nobody's.
    "hooks.slack.com",
    "prod.logic.azure.com",
    "pager.example.com",
    # What the changelog keeps to.
    "keepachangelog.com",
    "semver.org",
}
NOT_OUR_WORDS = {
    # One word for one thing: see docs/glossary.md.
    "endpoint": "deployment",
    "failover": "fallback",
    "cooldown period": "open circuit",
    "reservation": "hold",
    "workspace": "tenant",
    "manager": "name what it does",
    "handler": "name what it does",
    "helper": "name what it does",
    # Words that claim without a number.
    "blazing": "a number",
    "seamless": "a number",
    "robust": "a number",
    "powerful": "a number",
    "state-of-the-art": "a number",
    "enterprise-grade": "a number",
    "effortless": "a number",
}
OPTIONS_OF_OTHERS = {
    # pip and jupyter, and our own benchmarks.
    *("--only-binary", "--no-deps", "--inplace"),
    *("--cache-only", "--profile", "--patience"),
}
NAMES_OF_OTHERS = {
    # LangChain, LiteLLM, FastAPI, pandas, nginx.
    *("RunnableLambda", "SummarizationMiddleware", "token_counter", "aembedding", "ANTHROPIC_API_BASE"),
    *("StreamingResponse", "explode", "proxy_buffering"),
    # Windows' folder of programs, a region.
    *("Scripts", "west"),
    # Made up: a reader's own function, a mistyped argument.
    *("my_scores", "tennant"),
}
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u26ff\ufe0f]")
_WORD = re.compile(r"[^\W\d]\w{2,}")
_MADE = re.compile(r"ErrorAnswer\(\s*(\d{3}),[^)]*?\"([a-z]+_[a-z_]+|stopping|overloaded)\"")
_MACHINE_PATH = re.compile(r"(?<![\w.~}$*/-])/(?:home|Users|root|tmp|var|opt|mnt|srv|work|usr)/")


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[None]:
    """Practice providers, and the environment that leads to them."""
    with docs.rehearsing():
        yield


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose_of(page: Path) -> str:
    """Return a page without its code."""
    return re.sub(r"`[^`\n]*`", "", docs._BLOCK.sub("", text_of(page)))


def test_generated_pages_and_parts_are_what_the_program_says():
    assert docs.stale() == [], "python scripts/docs.py --write"


def shown(command):
    return [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]


def option_names(command):
    return [name for one in shown(command) for name in (*one.opts, *one.secondary_opts)]


def test_every_command_and_option_is_documented():
    page = text_of(ROOT / "docs/reference/cli.md")
    missing = [
        f"{' '.join(way)} {option}"
        for way, command in docs.commands().items()
        for option in ("", *option_names(command))
        if (f"`{option}`" if option else f"## {' '.join(way)}\n") not in page
    ]
    assert missing == []


def test_what_the_help_hides_is_not_documented():
    assert "--socket" not in docs.cli_page()


def test_every_command_stands_in_a_how_to_or_the_readme():
    pages = [ROOT / "README.md", *(ROOT / "docs/how-to").glob("*.md")]
    said = "\n".join(text_of(page) for page in pages)
    leaves = [" ".join(way) for way, one in docs.commands().items() if not hasattr(one, "commands")]
    assert [way for way in leaves if way not in said] == []


def test_every_key_of_the_configuration_is_documented_in_words():
    page = text_of(ROOT / "docs/reference/config.md")
    assert [way for way in docs.config_keys() if f"`{way}`" not in page and f"## {way}\n" not in page] == []
    assert [way for way, (_, said) in docs.config_keys().items() if not said] == []


@EVERY_PAGE
def test_links_lead_somewhere(page):
    assert docs.broken_links(page) == []


@EVERY_PAGE
def test_lines_fit_beside_a_diff(page):
    assert docs.too_wide(page) == []


@EVERY_PAGE
def test_the_program_takes_every_command_that_a_page_names(page):
    assert docs.wrong_commands(page) == []


@pytest.fixture(scope="module")
def names_in_the_tree():
    """Every word of the program, of what is delivered with it, and of its tests' file names."""
    ends = {".py", ".yaml", ".yml", ".md", ".toml", ".html", ".js", ".json", ".service", ""}
    files = [ROOT / "config.yaml", ROOT / "pyproject.toml", ROOT / "Makefile"]
    for folder in ("orchestrator", "chains", "deploy", "notebooks"):
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix in ends]
    words = {path.stem for path in (ROOT / "tests").rglob("*.py")} | {"nextflow_orchestrator_pytest"}
    for path in files:
        words.update(_WORD.findall(text_of(path)))
    return words


@pytest.mark.parametrize("page", FOR_USERS, ids=lambda page: page.name)
def test_every_name_in_backticks_is_known_to_the_program(page, names_in_the_tree):
    """Whatever is renamed or removed is missed here in the pages that users rely on."""
    spans = re.findall(r"`([^`]+)`", docs._BLOCK.sub("", text_of(page)))
    named = {word for span in spans for word in _WORD.findall(span)}
    bare = {word.removeprefix("nextflow_").removesuffix("_total") for word in named - names_in_the_tree}
    assert bare - names_in_the_tree - NAMES_OF_OTHERS == set()  # a metric has its ends from Prometheus


@EVERY_PAGE
def test_an_option_that_stands_alone_is_one_of_a_command(page):
    known = {name for one in docs.commands().values() for name in option_names(one)}
    alone = re.findall(r"`(--[a-z-]+)[^`]*`", docs._BLOCK.sub("", text_of(page)))
    assert set(alone) - known - OPTIONS_OF_OTHERS == set()


@pytest.mark.parametrize(
    "page", [page for page in PAGES if docs.blocks(page, "yaml")], ids=lambda page: page.stem
)
def test_yaml_examples_fit_into_the_configuration(page):
    assert docs.wrong_settings(page) == []


@pytest.mark.parametrize(
    "page", [page for page in PAGES if docs.blocks(page, "python")], ids=lambda page: page.name
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_python_examples_run(page, rehearsal):
    with contextlib.redirect_stdout(io.StringIO()):
        docs.run_python(page)


def test_an_example_that_is_not_run_says_why():
    silent = [one for page in PAGES for one in docs.blocks(page, "python") if one.reason_not_to_run == ""]
    assert silent == []


def test_the_module_map_names_every_module_and_no_other():
    page = text_of(ROOT / "docs/reference/modules.md")
    named = re.findall(r"^- `([\w/]+\.py)`: \S", page, re.MULTILINE)
    assert sorted(named) == sorted(path.relative_to(ROOT).as_posix() for path in docs.modules())


def test_modules_named_elsewhere_exist():
    """A page may name a file of the tree in backticks; it must be there."""
    folders = "|".join((*docs.CODE_FOLDERS, "tests"))
    wrong = [
        f"{page.name}: {path}"
        for page in PAGES
        for path in re.findall(rf"`((?:{folders})/[\w/.*]+)`", text_of(page))
        if not any(ROOT.glob(path.rstrip("/")))
    ]
    assert wrong == []


def test_the_status_table_points_at_what_exists():
    wrong = []
    for row in re.findall(r"^\| [A-I][\d-].*$|^\| [CDI] .*$", text_of(ROOT / "docs/status.md"), re.MULTILINE):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        state, places = cells[2], [re.findall(r"`([^`]+)`", cell) for cell in cells[3:]]
        if state.startswith("built"):
            assert places[-1], f"built without a test: {row}"
        for one in [one for cell in places for one in cell]:
            inside = ("orchestrator", "tests", ".")
            if not any((ROOT / folder / f"{one}{end}").exists() for folder in inside for end in ("", ".py")):
                wrong.append(f"{cells[0]}: {one}")
    assert wrong == []


def test_every_capability_has_its_row():
    page = text_of(ROOT / "docs/status.md")
    rows = re.findall(r"^\| ([A-I])(\d\d)?(?:-[A-I](\d\d))? \|", page, re.MULTILINE)
    covered = {
        f"{letter}{number:02d}"
        for letter, first, last in rows
        if first
        for number in range(int(first), int(last or first) + 1)
    }
    counts = {"A": 13, "B": 12, "E": 11, "F": 9, "G": 15, "H": 4}
    wanted = {f"{letter}{number:02d}" for letter, count in counts.items() for number in range(1, count + 1)}
    assert wanted - covered == set()
    assert {"C", "D", "I"} <= {letter for letter, first, _ in rows if not first}


def test_every_error_of_the_server_stands_in_its_table():
    """Code by code with its status, wherever the server makes one."""
    rows = re.findall(r"^\| (\d[\d, ]+)\|([^|]*)\|", text_of(ROOT / "docs/how-to/serve.md"), re.MULTILINE)
    told = {code: statuses for statuses, codes in rows for code in re.findall(r"`([a-z_]+)`", codes)}
    made = {code: str(status) for status, _, code in error_answers._ANSWERS.values()}
    for path in (ROOT / "orchestrator/server").glob("*.py"):
        made |= {code: status for status, code in _MADE.findall(text_of(path))}
    assert len(made) > 25
    assert {code: status for code, status in made.items() if status not in told.get(code, "")} == {}


def test_pages_that_the_code_names_exist():
    named = {
        found
        for folder in docs.CODE_FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        for found in re.findall(r"\bdocs/[\w/-]+\.md\b", text_of(path))
    }
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def test_every_page_is_reached_from_the_index():
    index = ROOT / "docs/index.md"
    reached = {
        (index.parent / target.partition("#")[0]).resolve()
        for target in re.findall(r"\]\(([^)\s]+)\)", text_of(index))
    }
    pages = [page for page in (ROOT / "docs").rglob("*.md") if page != index]
    assert [page.name for page in pages if page.resolve() not in reached] == []


@EVERY_PAGE
def test_a_page_names_no_place_of_a_machine_and_no_other_host(page):
    text = text_of(page)
    assert _MACHINE_PATH.findall(text) == []
    hosts = set(re.findall(r"https?://([\w.-]+)", text))
    assert hosts <= HOSTS


@pytest.mark.parametrize("page", IN_OUR_WORDS, ids=lambda page: page.name)
def test_a_page_uses_the_words_of_the_glossary(page):
    prose = prose_of(page).casefold()
    found = {word: better for word, better in NOT_OUR_WORDS.items() if re.search(rf"\b{word}s?\b", prose)}
    assert found == {}
    assert _EMOJI.findall(text_of(page)) == []


def test_a_stale_page_a_broken_link_and_a_wrong_example_are_noticed(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(
        "[gone](gone.md)\n\n"
        "```bash\norchestrator ask --loud\norchestrator sing\n```\n\n"
        "`orchestrator dance` and `orchestrator report --since` and `orchestrator top --fast`.\n\n"
        "```yaml\ncache: {ttl: 5}\n```\n\n"
        "```python\nraise KeyError('x')\n```\n\n" + "wide " * 30 + "\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    assert docs.broken_links(page) == ["page.md: gone.md"]
    assert [re.search(r"no such command|unknown option", one)[0] for one in docs.wrong_commands(page)] == [
        "unknown option",
        "no such command",
        "no such command",
        "unknown option",
    ]
    assert "ttl_s" in docs.wrong_settings(page)[0]
    assert docs.too_wide(page) == ["page.md:18: 150 columns"]
    with pytest.raises(KeyError):
        docs.run_python(page)


def test_docs_check_is_what_make_docs_calls():
    assert "scripts/docs.py --check" in text_of(ROOT / "Makefile")
    assert "--check" in str(ast.get_docstring(ast.parse(text_of(ROOT / "scripts/docs.py"))))
