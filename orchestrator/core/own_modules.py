"""Modules of the working folder, named on the command line: a team's own chains and scorers.

The folder stays on Python's path, so that what such a module imports later is found too.
"""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

from orchestrator.core.errors import InvalidRequestError


def own_module(name: str) -> ModuleType:
    """Import `package.module`, of the working folder or installed.

    Raises:
        InvalidRequestError: it cannot be imported; says why, and from where it was tried.
    """
    if any(mark in name for mark in "/\\") or name.endswith(".py"):
        raise InvalidRequestError(f"'{name}' is a file, and a module is meant: write {_dotted(name)}")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return import_module(name)
    except Exception as exc:
        raise InvalidRequestError(
            f"'{name}' cannot be imported in {here}: {type(exc).__name__}: {exc}; "
            "go to the folder of your project, or install it"
        ) from exc


def _dotted(path: str) -> str:
    """Return a path as the name of its module: `chains/triage.py` as `chains.triage`."""
    plain = path.replace("\\", "/").removesuffix(".py").removeprefix(f"{Path.cwd().as_posix()}/")
    dotted = plain.removeprefix("./").strip("/").removesuffix("/__init__").replace("/", ".")
    is_here = not plain.startswith("/") and all(part.isidentifier() for part in dotted.split("."))
    return dotted if is_here else "package.module, in the folder of your project"
