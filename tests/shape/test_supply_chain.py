"""What runs here is what was chosen: versions, hashes, and nothing that starts by itself.

LiteLLM 1.82.7, 1.82.8 and 1.107.0 were malicious releases; one came with a `.pth` file, which runs at
every start of Python. Each rule is a function over a folder or a text, so that each is also shown to fail.
"""

import re
import sysconfig
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
SITE_PACKAGES = Path(sysconfig.get_path("purelib"))
PROJECT = "nextflow-orchestrator"

KNOWN_PTH = {
    # Where this project's own code is: the editable install. It names a folder and runs nothing.
    "_nextflow_orchestrator.pth": (),
    # Setuptools, which `python -m venv` of Python 3.11 brings along; ours is removed by scripts/bootstrap.py.
    "distutils-precedence.pth": (
        (
            "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; "
            "enabled and __import__('_distutils_hack').add_shim();"
        ),
    ),
    # The tool virtualenv, for those who made their environment with it.
    "_virtualenv.pth": ("import _virtualenv",),
}
"""Each `.pth` file that may be there, with the only lines of it that may run code."""

NEEDLESS = {"uv"}
"""May be missing: where uv has no wheel, scripts/bootstrap.py installs with pip."""


def pin_of(package: str, *, pyproject: str) -> str:
    """Return the exact version that pyproject.toml demands."""
    requirements = map(Requirement, tomllib.loads(pyproject)["project"]["dependencies"])
    pins = [str(r.specifier) for r in requirements if canonicalize_name(r.name) == package]
    assert len(pins) == 1
    assert re.fullmatch(r"==[^*,]+", pins[0]), f"{package} has no exact pin: {pins[0]!r}"
    return pins[0].removeprefix("==")


def what_starts_by_itself(site_packages: Path) -> Iterator[str]:
    """Name each file that Python would run at its start, and that nobody expects there."""
    for path in sorted(site_packages.glob("*.pth")):
        if path.name not in KNOWN_PTH:
            yield f"{path.name} is not expected"
        for line in path.read_text(encoding="utf-8").splitlines():
            # Python runs a line that begins so; every other line is a folder.
            if re.match(r"import[ \t]", line) and line.strip() not in KNOWN_PTH.get(path.name, ()):
                yield f"{path.name} runs {line.strip()!r}"
    for name in ("sitecustomize", "usercustomize"):
        for path in sorted(site_packages.glob(f"{name}*")):
            yield f"{path.name} is not expected"


def entries_of(lock: str) -> dict[str, tuple[Requirement, int]]:
    """Return each entry of a lock with the number of its hashes; an entry a version is one of several."""
    entries = {}
    for entry in re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", lock, flags=re.MULTILINE)):
        requirement = Requirement(entry.split("--hash")[0].replace("\\\n", " ").strip(" \\\n"))
        hashes = re.findall(r"--hash=sha256:[0-9a-f]{64}(?= \\\n|\n|$)", entry)
        entries[str(requirement)] = (requirement, len(hashes))
    return entries


def differences(installed: dict[str, str], *, lock: str) -> Iterator[str]:
    """Name each package that is not installed at the version of the lock, or not in it at all."""
    locked = {
        canonicalize_name(requirement.name): str(requirement.specifier).removeprefix("==")
        for requirement, _ in entries_of(lock).values()
        if requirement.marker is None or requirement.marker.evaluate()
    }
    for name in sorted(installed.keys() | locked.keys()):
        have, want = installed.get(name), locked.get(name)
        if have != want and not (have is None and name in NEEDLESS):
            yield f"{name}: {have or 'missing'} is installed, {want or 'nothing'} is locked"


def faults_of_lock(lock: str) -> Iterator[str]:
    """Name each entry without an exact version or a hash, and each line that names a host."""
    for name, (requirement, hashes) in entries_of(lock).items():
        if not re.fullmatch(r"==[^*,]+", str(requirement.specifier)):
            yield f"{name} has no exact version"
        if not hashes:
            yield f"{name} has no hash"
    for line in lock.splitlines():
        if re.search(r"://|@|--(extra-)?index-url|--find-links|\.(org|com|net|io|dev)\b", line):
            yield f"names a host: {line}"


@pytest.fixture(scope="module")
def lock() -> str:
    return (ROOT / "requirements.lock").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pyproject() -> str:
    return (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_installed_litellm_is_the_pinned_one(pyproject: str) -> None:
    assert metadata.version("litellm") == pin_of("litellm", pyproject=pyproject)


def test_nothing_unexpected_runs_when_python_starts() -> None:
    assert list(what_starts_by_itself(SITE_PACKAGES)) == []


def test_every_package_is_the_locked_one_and_there_is_no_other(lock: str) -> None:
    installed = {
        canonicalize_name(package.name): package.version
        for package in metadata.distributions(path=[str(SITE_PACKAGES)])
    }
    installed.pop(PROJECT, None)
    assert list(differences(installed, lock=lock)) == []


def test_the_lock_has_a_hash_for_every_entry_and_names_no_host(lock: str) -> None:
    assert len(entries_of(lock)) > 100
    assert list(faults_of_lock(lock)) == []


def test_the_lock_holds_all_that_pyproject_asks_for(lock: str, pyproject: str) -> None:
    project = tomllib.loads(pyproject)
    extras = {**project["project"]["optional-dependencies"], **project["dependency-groups"]}
    asked = [*project["project"]["dependencies"], *(line for lines in extras.values() for line in lines)]
    locked = {
        canonicalize_name(requirement.name): str(requirement.specifier).removeprefix("==")
        for requirement, _ in entries_of(lock).values()
    }
    wrong = [
        line
        for line in asked
        if not Requirement(line).specifier.contains(locked.get(canonicalize_name(Requirement(line).name), ""))
    ]
    assert wrong == [], "make lock"


@pytest.mark.parametrize("pin", ["litellm>=1.106.2", "litellm==1.106.*", "litellm"])
def test_a_loose_pin_is_noticed(pin: str) -> None:
    with pytest.raises(AssertionError, match="no exact pin"):
        pin_of("litellm", pyproject=f'[project]\ndependencies = ["{pin}"]')


def test_a_planted_start_file_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "litellm_init.pth").write_text("import base64; exec(base64.b64decode('cGFzcw=='))\n")
    (tmp_path / "_virtualenv.pth").write_text("import _virtualenv\nimport os; os.getpid()\n")
    (tmp_path / "_nextflow_orchestrator.pth").write_text("/somewhere\n")
    (tmp_path / "sitecustomize.py").write_text("")
    assert [fault.split(" ")[0:2] for fault in what_starts_by_itself(tmp_path)] == [
        ["_virtualenv.pth", "runs"],
        ["litellm_init.pth", "is"],
        ["litellm_init.pth", "runs"],
        ["sitecustomize.py", "is"],
    ]


SMALL_LOCK = f"rich==15.0.0 \\\n    --hash=sha256:{'0' * 64}\nuv==1.0 \\\n    --hash=sha256:{'1' * 64}\n"


@pytest.mark.parametrize(
    ("installed", "fault"),
    [
        ({"rich": "15.0.0"}, []),
        ({"rich": "15.0.1"}, ["rich: 15.0.1 is installed, 15.0.0 is locked"]),
        ({}, ["rich: missing is installed, 15.0.0 is locked"]),
        ({"rich": "15.0.0", "evil": "1"}, ["evil: 1 is installed, nothing is locked"]),
    ],
)
def test_a_package_that_differs_from_the_lock_is_noticed(installed: dict[str, str], fault: list[str]) -> None:
    assert list(differences(installed, lock=SMALL_LOCK)) == fault


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("typer==0.29.2", "typer==0.29.2 has no hash"),
        (f"typer>=0.29 \\\n    --hash=sha256:{'0' * 64}", "typer>=0.29 has no exact version"),
        (f"typer @ https://x.test/typer.whl \\\n    --hash=sha256:{'0' * 64}", "names a host"),
        ("# --index-url https://mirror.example.com/simple", "names a host"),
        ("# via files.example.org", "names a host"),
    ],
)
def test_a_lock_without_a_hash_or_with_a_host_is_noticed(line: str, fault: str) -> None:
    assert list(faults_of_lock(SMALL_LOCK)) == []
    assert any(found.startswith(fault) for found in faults_of_lock(f"{SMALL_LOCK}{line}\n"))
