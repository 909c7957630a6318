"""Paths that begin with `~`, where the system may not say whose home that is."""

from pathlib import Path

from orchestrator.core.errors import ConfigError


def expanded(path: str | Path) -> Path:
    """Return a path with the home folder in the place of its `~`.

    Raises:
        ConfigError: the system names no home folder of this user, as in a container with a user of its own.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ConfigError(
            f"'{path}' begins with a home folder that this system does not know: set HOME, set ORCHESTRATOR_HOME to a "
            "folder that this program may write to, or write whole paths into config.yaml"
        ) from None
