"""Write what the program can say of itself into the documents, and check that they agree with it.

    python scripts/docs.py --write    write the generated pages and parts anew
    python scripts/docs.py --check    name what is stale, broken or does not run; exit status 1 if anything is

Generated are docs/reference/cli.md and docs/reference/config.md, and in other pages the parts between
`<!-- written: NAME -->` and `<!-- end -->`. Checked are relative links, the width of lines, the commands in
console examples, the YAML examples (each must fit into config.yaml) and the Python examples (each page's are
run in order, in front of practice providers). A Python block that cannot run says so and why:
```` ```python no-run: the reason ````.

`tests/shape/test_docs.py` makes the same checks, one test each.
"""

import ast
import contextlib
import copy
import io
import json
import logging
import os
import re
import shlex
import sys
import tempfile
import textwrap
import tomllib
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import typer
import yaml

from orchestrator.cli.app import root
from orchestrator.cli.usage_errors import usage_error_of
from orchestrator.config.file_schema import FileSchema
from orchestrator.config.loader import embedded_path, load_config
from orchestrator.config.schema import RootSettings
from orchestrator.core import errors
from orchestrator.core.clock import SystemClock
from orchestrator.core.failures import FAILURE_POLICIES, FailureKind, FallbackScope
from orchestrator.drill.rehearsal import practice_server
from orchestrator.resilience.retry_policy import RetryProfile

ROOT = Path(__file__).resolve().parents[1]
WIDTH_MAX = 110
CODE_FOLDERS = ("orchestrator", "chains", "notebooks", "benchmarks", "scripts")
NOTE = "<!-- Written by scripts/docs.py from the program itself: change the program, not this page. -->"

_BLOCK = re.compile(
    r"^(?P<margin> *)(?P<fence>`{3,})(?P<info>[^\n`]*)\n(?P<code>.*?)^(?P=margin)(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
_PART = re.compile(r"(<!-- written: (?P<name>[\w-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_COMMAND = re.compile(r"(?<!`)`(orchestrator [a-z-][^`]*)`")
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_KEYS = ("OPENROUTER_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY")
_WITHOUT_KEYS = frozenset({"README.md", "README.vi.md"})
"""Who reads these has no key yet: what they show runs without."""
_ADDRESSES = {"OPENROUTER_BASE_URL": "openrouter", "GOOGLE_BASE_URL": "google", "OPENAI_BASE_URL": "openai"}
_STRAY = (
    "ORCHESTRATOR_CONFIG",
    "LOCAL_MODEL_BASE_URL",
    "LOCAL_MODEL_API_KEY",
    "OPENROUTER_DEFAULT_MODEL",
    "OPENROUTER_FALLBACK_MODEL",
)
_AT_ONCE = frozenset({"--help", "--version", "--verbose", "--log-json"})
"""Options of every command that do what they say while they are read."""
_PLACEHOLDER = "<name>"
_ELSEWHERE = {FallbackScope.ANY: "any other deployment"}
"""What the page of failures calls a scope whose own word would not say it."""
_KINDS = {"int": "INTEGER", "float": "NUMBER", "Path": "PATH"}


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a page."""

    page: Path
    line: int
    """Of its first line of content."""
    language: str
    extra: str
    """What stands behind the language."""
    code: str

    @property
    def reason_not_to_run(self) -> str | None:
        """Return why a Python block is not run, None when it is."""
        return self.extra.removeprefix("no-run").lstrip(": ") if self.extra.startswith("no-run") else None


# ---- what is written ---------------------------------------------------------------------------------------------


def pages() -> list[Path]:
    """Return every document."""
    top = [ROOT / name for name in ("README.md", "README.vi.md", "CHANGELOG.md", "CONTRIBUTING.md")]
    return [*top, *sorted((ROOT / "docs").rglob("*.md"))]


def generated() -> dict[Path, str]:
    """Return what every page that is generated, or has generated parts, should hold."""
    made = {ROOT / "docs/reference/cli.md": cli_page(), ROOT / "docs/reference/config.md": config_page()}
    for page in pages():
        if page not in made:
            text = page.read_text(encoding="utf-8")
            if _PART.search(text):
                made[page] = _PART.sub(lambda found: f"{found[1]}{PARTS[found['name']]()}\n{found[4]}", text)
    return made


def stale() -> list[str]:
    """Return the pages that are not what the program says."""
    return [
        _name(page)
        for page, text in generated().items()
        if not page.is_file() or page.read_text(encoding="utf-8") != text
    ]


def layers() -> str:
    """Return the layers of the import contract, top first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "layers")
    # Parentheses mark to import-linter what may be missing.
    lines = ["chains (the folder at the top)", *(layer.replace("(", "").replace(")", "") for layer in layers)]
    return "```text\n" + "\n".join(lines) + "\n```"


def doors() -> str:
    """Return who may import a library, contract by contract."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    return "\n".join(
        _item(f"{contract['name']}: `{'`, `'.join(contract['allowed_importers'])}`")
        for contract in contracts
        if contract["id"].startswith("door-")
    )


def folder_map() -> str:
    """Return every package of the program with the first line of its docstring."""
    packages = sorted((ROOT / "orchestrator").rglob("__init__.py"))
    return "\n".join(_item(f"`{_name(path.parent)}/`: {_first_line(path)}") for path in packages)


def module_map() -> str:
    """Return every module with the first line of its docstring, folder by folder."""
    parts = []
    for folder in sorted({path.parent for path in modules()}):
        parts.append(f"**{_name(folder)}/**\n")
        parts += [
            _item(f"`{_name(path)}`: {_first_line(path)}") for path in modules() if path.parent == folder
        ]
        parts[-1] += "\n"
    return "\n".join(parts).rstrip()


def modules() -> list[Path]:
    """Return every module of the project but the tests."""
    return sorted(path for folder in CODE_FOLDERS for path in (ROOT / folder).rglob("*.py"))


def errors_table() -> str:
    """Return every exception class with its exit code and promise, as a list that shows the tree."""

    def told(kind: type[errors.OrchestratorError], depth: int) -> Iterator[str]:
        found: Any = kind.exit_code
        code = found if isinstance(found, int) else 1
        indent = "  " * depth
        promise = str(kind.__doc__).splitlines()[0]
        yield textwrap.indent(
            _item(f"`{kind.__name__}` ({code}): {promise}", WIDTH_MAX - len(indent)), indent
        )
        for one in kind.__subclasses__():
            if one.__module__ == errors.__name__:
                yield from told(one, depth + 1)

    return "\n".join(told(errors.OrchestratorError, 0))


def failures_table() -> str:
    """Return what is done about every kind of failure, with the shipped retry profiles."""
    today = SystemClock().now().date()
    profiles = load_config(embedded_path(), today=today, environment={}).settings.retry_profiles

    def again(kind: FailureKind) -> str:
        told = [f"{name} {_retries(one)}" for name, one in profiles.items() if kind in one.retry_on]
        if kind is FailureKind.RATE_LIMITED:
            told.append("after a Retry-After that fits profile and deadline")
        return ", ".join(told) or "no"

    return "\n".join(
        _item(
            f"`{kind}`: {policy.symptoms}. **Again here:** {again(kind)}. **Elsewhere:** {_ELSEWHERE.get(policy.fallback_scope, policy.fallback_scope)}. "
            f"**When no other is left:** {'again' if policy.passes else 'no'}. "
            f"**Against the health of:** {policy.health_scope}. **Billed:** {policy.billing}."
        )
        for kind, policy in FAILURE_POLICIES.items()
    )


def _retries(profile: RetryProfile) -> str:
    delays = [f"{one:g}" for one in profile.retry_delays_s[: profile.attempts_per_deployment - 1]]
    return f"after {' and '.join(delays)} s"


PARTS: Mapping[str, Callable[[], str]] = {
    "layers": layers,
    "doors": doors,
    "folders": folder_map,
    "modules": module_map,
    "errors": errors_table,
    "failures": failures_table,
}


def cli_page() -> str:
    """Return the page of the command line."""
    intro = "Every command and option, as `orchestrator --help` knows them. Exit codes are on [errors](errors.md)."
    parts = ["# Command line", NOTE, _wrapped(intro)]
    for way, command in commands().items():
        parts.append(f"## {' '.join(way)}")
        usage = ["orchestrator", *way[1:]]
        given = [one for one in command.params if one.param_type_name == "argument"]
        options = [
            one
            for one in command.params
            if one.param_type_name == "option" and not getattr(one, "hidden", False)
        ]
        usage += ["[OPTIONS]"] if options else []
        usage += ["COMMAND"] if hasattr(command, "commands") else []
        usage += [one.name if one.required else f"[{one.name}]" for one in given]
        parts.append(f"```text\n{' '.join(usage)}\n```")
        parts += [_wrapped(one) for one in (command.help or "").split("\n\n")]
        if given or options:
            parts.append("\n".join(_item(_option(one)) for one in (*given, *options)))
    return "\n\n".join(parts) + "\n"


@cache
def commands() -> dict[tuple[str, ...], Any]:
    """Return every command and group by its words: `("orchestrator", "config", "check")`."""
    found: dict[tuple[str, ...], Any] = {}

    def walk(way: tuple[str, ...], command: Any) -> None:
        found[way] = command
        for name, one in getattr(command, "commands", {}).items():
            walk((*way, name), one)

    walk(("orchestrator",), root())
    return found


def config_page() -> str:
    """Return the page of config.yaml."""
    schema = settings_schema()
    parts = [
        "# config.yaml",
        NOTE,
        _wrapped(
            "Every key, its type, its default and what it means. `<name>` is a name of your own, `[]` is an entry "
            "of a list. Money is US dollars, prices are US dollars per million tokens, times are seconds. "
            "Any value may be `${NAME}` or `${NAME:-default}`, taken from the environment. An unknown key is an "
            "error. `orchestrator config schema` prints the same for editors, `orchestrator config show` "
            "prints what is in force."
        ),
    ]
    for key, part in schema["properties"].items():
        keys = {way: one for way, one in config_keys().items() if way.split(".")[0].removesuffix("[]") == key}
        about = _about(part, schema)
        parts.append(f"## {key}")
        if about and about != keys[key][1]:
            parts.append(_wrapped(about))
        listed = keys if len(keys) == 1 else {way: one for way, one in keys.items() if way != key}
        parts.append("\n".join(_item(f"`{way}` ({kind}): {said}") for way, (kind, said) in listed.items()))
    return "\n\n".join(parts) + "\n"


@cache
def settings_schema() -> dict[str, Any]:
    """Return the JSON schema of config.yaml, as the settings define it."""
    return RootSettings.model_json_schema(schema_generator=FileSchema)


@cache
def config_keys() -> dict[str, tuple[str, str]]:
    """Return every key of config.yaml by its way, `cache.ttl_s`: its type and default, and what it means."""
    schema = settings_schema()
    found: dict[str, tuple[str, str]] = {}

    def walk(way: str, properties: Mapping[str, Any], required: list[str]) -> None:
        for name, part in properties.items():
            here = f"{way}.{name}".lstrip(".")
            said = part.get("description") or _about(part, schema)
            found[here] = (_kind(part, schema, required=name in required), str(said))
            step, inner = _inner(part, schema)
            if inner is not None:
                walk(here + step, inner["properties"], inner.get("required", []))

    walk("", schema["properties"], schema["required"])
    return found


def _inner(part: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[str, Mapping[str, Any] | None]:
    """Return the object type behind a key, and the step to it: nothing, `.<name>` or `[]`."""
    steps = {"items": "[]", "patternProperties": f".{_PLACEHOLDER}"}
    for key, step in steps.items():
        if key in part:
            inside = part[key] if key == "items" else next(iter(part[key].values()))
            return step, _inner(inside, schema)[1]
    reference = part.get("$ref") or next(
        (one["$ref"] for one in part.get("anyOf", ()) if "$ref" in one), None
    )
    found = schema["$defs"][reference.rsplit("/", 1)[1]] if reference else None
    return "", found if found is not None and "properties" in found else None


def _about(part: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    inner = _inner(part, schema)[1]
    return str(inner.get("description", "")) if inner else ""


def _kind(part: Mapping[str, Any], schema: Mapping[str, Any], *, required: bool) -> str:
    """Return `number from 0 to 1; default 0.95`."""
    kind = _type_of(part, schema)
    default = part.get("default")
    if required:
        return f"{kind}; required"
    if default is None or default in ("", [], {}) or isinstance(default, dict):
        return f"{kind}; optional"
    shown = sorted(default) if part.get("uniqueItems") else default
    return f"{kind}; default {json.dumps(shown) if not isinstance(shown, str) else shown}"


def _type_of(part: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "anyOf" in part:
        kinds = [_type_of(one, schema) for one in part["anyOf"] if one.get("type") != "null"]
        # Money is a number, or a text that holds one.
        return "dollars" if kinds == ["number at least 0", "text"] else " or ".join(kinds)
    if "$ref" in part:
        found = schema["$defs"][part["$ref"].rsplit("/", 1)[1]]
        return "one of " + ", ".join(found["enum"]) if "enum" in found else "object"
    if "const" in part:
        return f"always {part['const']}"
    if part["type"] == "array":
        return f"list of: {_type_of(part['items'], schema)}"
    if part["type"] == "object":
        inside = part.get("additionalProperties")
        return f"name to {_type_of(inside, schema)}" if isinstance(inside, dict) else "name to object"
    texts = {"password": "secret text", "date": "date"}
    kind = {
        "string": texts.get(part.get("format", ""), "text"),
        "integer": "whole number",
        "boolean": "true or false",
    }
    return kind.get(part["type"], "number") + _range_of(part)


def _range_of(part: Mapping[str, Any]) -> str:
    low, high = part.get("minimum"), part.get("maximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if low is not None:
        return f" at least {low}"
    return f" above {part['exclusiveMinimum']}" if "exclusiveMinimum" in part else ""


def _option(parameter: Any) -> str:
    names = ", ".join(f"`{one}`" for one in (*parameter.opts, *parameter.secondary_opts))
    kind = parameter.type_descriptor.annotation
    name = _KINDS.get(getattr(kind, "__name__", ""), "TEXT")
    shown = (
        "" if getattr(parameter, "is_flag", False) or parameter.param_type_name == "argument" else f" {name}"
    )
    default = parameter.default
    told = "" if default in (None, "") or isinstance(default, bool) else f" Default: {default}."
    if parameter.required:
        told += " Required."
    return f"{names}{shown}: {parameter.help or 'Show this.'}{told}"


def _first_line(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    told = ast.get_docstring(ast.parse(text))
    if told:
        return told.splitlines()[0]
    # A notebook begins with a title in Markdown.
    heading = re.search(r"^# # (.+)$", text, re.MULTILINE)
    return heading[1].rstrip(".") + "." if heading else ""


def _wrapped(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), WIDTH_MAX, break_long_words=False, break_on_hyphens=False)


def _item(text: str, width: int = WIDTH_MAX) -> str:
    return textwrap.fill(
        " ".join(text.split()),
        width,
        initial_indent="- ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# ---- what is checked ---------------------------------------------------------------------------------------------


def blocks(page: Path, *languages: str) -> list[Block]:
    """Return the fenced blocks of a page in some languages."""
    text = page.read_text(encoding="utf-8")
    found = []
    for one in _BLOCK.finditer(text):
        language, _, extra = one["info"].strip().partition(" ")
        if language in languages:
            line = text[: one.start("code")].count("\n") + 1
            found.append(Block(page, line, language, extra.strip(), textwrap.dedent(one["code"])))
    return found


def broken_links(page: Path) -> list[str]:
    """Return the relative links of a page that lead nowhere."""
    text = re.sub(r"`[^`\n]*`", "", _BLOCK.sub("", page.read_text(encoding="utf-8")))
    found = []
    for link in _LINK.finditer(text):
        target, _, anchor = link["target"].partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        path = (page.parent / target).resolve() if target else page
        if not path.exists() or (anchor and anchor not in _anchors(path)):
            found.append(f"{_name(page)}: {link['target']}")
    return found


def too_wide(page: Path) -> list[str]:
    """Return the lines of a page that are wider than a terminal beside a diff."""
    lines = page.read_text(encoding="utf-8").splitlines()
    return [
        f"{_name(page)}:{number}: {len(line)} columns"
        for number, line in enumerate(lines, start=1)
        if len(line) > WIDTH_MAX
    ]


def wrong_commands(page: Path) -> list[str]:
    """Return the `orchestrator` commands of a page, in its console examples and its prose, that would be refused.

    Each is read as the program reads it, values of options included, and not run. A command that prose names
    may leave out what it needs.
    """
    found = []
    for block in blocks(page, "bash", "console"):
        for line in block.code.replace("\\\n", " ").splitlines():
            words = line.removeprefix("$ ").split("orchestrator ", 1)
            if line.lstrip("$ ").startswith(("orchestrator ", ".venv/bin/orchestrator ")):
                found += [f"{_name(page)}:{block.line}: {line}: {one}" for one in _mistakes(words[1])]
    for code in _COMMAND.findall(_BLOCK.sub("", page.read_text(encoding="utf-8"))):
        line = " ".join(code.split())
        found += [f"{_name(page)}: {line}: {one}" for one in _mistakes(line.split(" ", 1)[1], is_whole=False)]
    return found


def wrong_settings(page: Path) -> list[str]:
    """Return what config.yaml would say of a page's YAML examples, each merged into the shipped file."""
    found = []
    for block in blocks(page, "yaml"):
        data = copy.deepcopy(_shipped_settings())
        _merge(data, yaml.safe_load(block.code))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "config.yaml"
            path.write_text(yaml.dump(data, Dumper=yaml.CSafeDumper, allow_unicode=True), encoding="utf-8")
            try:
                load_config(
                    path, today=SystemClock().now().date(), environment=dict.fromkeys(_KEYS, "practice")
                )
            except errors.ConfigError as error:
                found.append(f"{_name(page)}:{block.line}: {str(error).replace(str(path), 'config.yaml')}")
    return found


@cache
def _shipped_settings() -> Any:
    """Return the shipped configuration as YAML reads it."""
    return yaml.load(embedded_path().read_bytes(), Loader=yaml.CSafeLoader)


def run_python(page: Path) -> None:
    """Run a page's Python examples in order, in one namespace, so that a later one may build on an earlier one.

    Use it inside `rehearsing`. Raises whatever an example raises, with the page's own line numbers.
    """
    namespace: dict[str, Any] = {"__name__": "docs"}
    keys = {name: os.environ.pop(name) for name in _KEYS if page.name in _WITHOUT_KEYS and name in os.environ}
    try:
        for block in blocks(page, "python"):
            if block.reason_not_to_run is None:
                code = compile("\n" * (block.line - 1) + block.code, _name(page), "exec")
                exec(code, namespace)  # noqa: S102 -- our own documents
    finally:
        os.environ.update(keys)


@contextlib.contextmanager
def rehearsing() -> Iterator[None]:
    """Lead the shipped configuration to practice providers and to a fresh folder, and stand at the top of the tree."""
    with tempfile.TemporaryDirectory() as folder, practice_server() as server, contextlib.chdir(ROOT):
        before = dict(os.environ)
        os.environ.update({name: server.base_url(provider) for name, provider in _ADDRESSES.items()})
        os.environ.update(dict.fromkeys(_KEYS, "practice"), ORCHESTRATOR_HOME=folder)
        for name in _STRAY:
            os.environ.pop(name, None)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def _mistakes(line: str, *, is_whole: bool = True) -> Iterator[str]:
    """Name what of a command line the program would refuse."""
    told = line.replace("...", "").replace("\\|", "|")
    told = told.split(" | ", maxsplit=1)[0].split(" > ", maxsplit=1)[0]
    words = [word for word in shlex.split(told, comments=True) if word not in _AT_ONCE]
    known = commands()
    way: tuple[str, ...] = ("orchestrator",)
    while words and (*way, words[0]) in known:
        way = (*way, words.pop(0))
    command = known[way]
    is_group = hasattr(command, "commands")
    if is_group and not words[:1] and (not is_whole or command.invoke_without_command):
        return
    if is_group and not "".join(words[:1]).startswith("-"):
        yield f"no such command: {' '.join((*way, *words[:1]))}"
        return
    try:
        command.make_context(way[-1], words)
    except typer.TyperException as refusal:
        said = str(usage_error_of(refusal))
        if is_whole or not ("Missing" in said or "requires" in said):
            yield said


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def _merge(data: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(data.get(key), dict):
            _merge(data[key], value)
        else:
            data[key] = value


# ---- the command -------------------------------------------------------------------------------------------------


def write() -> None:
    """Write every page that is generated or has generated parts."""
    for page, text in generated().items():
        page.parent.mkdir(parents=True, exist_ok=True)
        if not page.is_file() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")
            print(f"wrote {_name(page)}")


def check() -> int:
    """Name everything that is wrong; return how much there is."""
    found = [f"{name}: stale; run 'python scripts/docs.py --write'" for name in stale()]
    for page in pages():
        for look in (broken_links, too_wide, wrong_commands, wrong_settings):
            found += look(page)
    logging.disable(logging.CRITICAL)  # some examples fail on purpose
    with rehearsing():
        for page in pages():
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    run_python(page)
            except Exception as error:  # noqa: BLE001 -- an example may raise anything; it is told
                place = traceback.extract_tb(error.__traceback__)
                line = next((one.lineno for one in reversed(place) if one.filename == _name(page)), 0)
                found.append(f"{_name(page)}:{line}: {type(error).__name__}: {error}")
    for one in found:
        print(one, file=sys.stderr)
    print(f"{len(pages())} pages, {len(found)} mistakes" if found else f"{len(pages())} pages, all is well")
    return len(found)


def main() -> int:
    """Return the exit status."""
    if sys.argv[1:] == ["--write"]:
        write()
        return 0
    if sys.argv[1:] == ["--check"]:
        return int(check() > 0)
    print(str(__doc__).split("\n\n", 2)[1], file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
