"""The shipped chains, found where they are and not by their name: a project may have a `chains/` of its own.

`import chains` is whatever stands first on Python's path, and in a project that is often a folder of its own.
Here the package beside `orchestrator` is loaded, under another name where `chains` is somebody else's.
"""

import importlib.util
import sys
import threading
import warnings
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from pkgutil import extend_path
from types import ModuleType

from orchestrator.core.errors import ConfigError

PACKAGE = "chains"
_ALIAS = "nextflow_chains"
_LOCK = threading.RLock()


def shipped() -> ModuleType:
    """Return the package of the shipped chains: `shipped().customer_service`.

    Raises:
        ConfigError: it is not installed beside `orchestrator`.
    """
    place = _place()
    if not place.is_file():
        raise ConfigError(
            f"{place}: the shipped chains are not installed beside 'orchestrator'; reinstall nextflow-orchestrator"
        )
    with _LOCK:
        if _ALIAS in sys.modules:
            return sys.modules[_ALIAS]
        return import_module(PACKAGE) if hidden_by() is None else _loaded_as_alias(place)


def hidden_by() -> Path | None:
    """Return what `import chains` finds instead of the shipped package, None where it finds that."""
    module = sys.modules.get(PACKAGE)
    spec = importlib.util.find_spec(PACKAGE) if module is None else getattr(module, "__spec__", None)
    origin = getattr(module, "__file__", None) or getattr(spec, "origin", None)
    if origin is not None:
        return None if Path(origin).resolve() == _place().resolve() else Path(origin)
    places = list(getattr(spec, "submodule_search_locations", None) or ())
    return Path(places[0]) if places else Path(PACKAGE)


def joined_folders(path: Iterable[str], name: str) -> list[str]:
    """Return the package's path with a project's folders of its name that have no `__init__.py`.

    Of a module that is in both the shipped one is found, and a warning says so.
    """
    first, *others = extend_path(list(path), name)
    folders = [first, *(folder for folder in others if not (Path(folder) / "__init__.py").exists())]
    ours = {file.stem for file in _place().parent.glob("*.py")} - {"__init__"}
    for folder in folders[1:]:
        for clash in sorted(ours & {file.stem for file in Path(folder).glob("*.py")}):
            warnings.warn(
                f"{folder}/{clash}.py is hidden by the shipped module chains.{clash}; rename it, or put an "
                f"__init__.py into {folder} and import the shipped chains with orchestrator.chains.shipped()",
                stacklevel=3,
            )
    return folders


def _place() -> Path:
    return Path(__file__).resolve().parents[2] / PACKAGE / "__init__.py"


def _loaded_as_alias(place: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        _ALIAS, place, submodule_search_locations=[str(place.parent)]
    )
    if spec is None or spec.loader is None:
        raise ConfigError(f"{place}: cannot be loaded as a package; reinstall nextflow-orchestrator")
    module = importlib.util.module_from_spec(spec)
    sys.modules[_ALIAS] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[_ALIAS]
        raise
    return module
