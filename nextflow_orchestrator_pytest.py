"""What pytest loads when it starts: the fixtures of `orchestrator.testing.pytest_plugin`, where they can be had.

A project may have an `orchestrator.py` or a folder `orchestrator/` of its own, which hides the installed package
as soon as the project's folder is on Python's path (`python -m pytest`). Its tests run all the same; only a test
that asks for a fixture of ours fails, with the reason.
"""

from importlib.util import find_spec
from pathlib import Path

import pytest


def hiding() -> str | None:
    """Return what `import orchestrator` finds in the place of the installed package; nothing is imported."""
    spec = find_spec("orchestrator")
    if spec is None:
        return "nothing"
    places = [Path(place) for place in spec.submodule_search_locations or ()]
    if any((place / "testing" / "pytest_plugin.py").is_file() for place in places):
        return None
    return spec.origin or str(places[0])


def reason(found: str) -> str:
    """Return what a test is told that asks for a fixture."""
    return (
        f"'import orchestrator' finds {found} and not the package of nextflow-orchestrator: rename it, or keep its "
        "folder off Python's path (run 'pytest', not 'python -m pytest')"
    )


_FOUND = hiding()
if _FOUND is None:
    from orchestrator.testing.pytest_plugin import orchestrator, practice, pytest_addoption

    __all__ = ["orchestrator", "practice", "pytest_addoption"]
else:

    @pytest.fixture(name="practice")
    def practice_in_vain() -> None:
        """Fail, and say why."""
        pytest.fail(reason(str(_FOUND)), pytrace=False)

    @pytest.fixture(name="orchestrator")
    def orchestrator_in_vain(practice: None) -> None:
        """Fail, as `practice` does."""
