"""An environment in which every provider of a configuration has a key, where none is sent anywhere."""

import os
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

from orchestrator.catalog.litellm_prefixes import IN_PLACE_OF_KEY
from orchestrator.config.loader import default_path
from orchestrator.config.secret_files import FILE_MARK
from orchestrator.config.yaml_file import read_document

PLACEHOLDER_KEY = "practice"
"""It is valid nowhere."""
_CREDENTIALS = frozenset({"api_key", *chain.from_iterable(IN_PLACE_OF_KEY.values())})


class _EveryVariable(dict[str, str]):
    """An environment in which every variable is the placeholder: a file is read for the names that it has."""

    def get(self, _name: str, _default: str | None = None) -> str:  # type: ignore[override]
        return PLACEHOLDER_KEY


def with_placeholder_keys(
    path: Path | str | None = None, environment: Mapping[str, str] | None = None, *, replace: bool = False
) -> dict[str, str]:
    """Return the environment, with a placeholder for each provider's key that it has no value for.

    With `replace` those that it has are replaced too, so that no real key is read.

    Raises:
        ConfigError: the file cannot be read.
    """
    environment = dict(os.environ if environment is None else environment)
    chosen = Path(path).expanduser() if path is not None else default_path()
    document = read_document(chosen, environment=_EveryVariable())
    for place, names in document.mentioned.items():
        if place[:1] == ("providers",) and place[-1] in _CREDENTIALS:
            for name in names:
                if not name.startswith(FILE_MARK) and (replace or not environment.get(name, "").strip()):
                    environment[name] = PLACEHOLDER_KEY
    return environment
