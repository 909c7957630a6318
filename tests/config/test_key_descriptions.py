"""What a key means is read from the docstring under its field, when somebody asks."""

import subprocess
import sys

from orchestrator.config.key_descriptions import key_descriptions
from orchestrator.core.settings import Settings


class Part(Settings):
    """A part of the file."""

    size: int = 1
    """How large it is,
    in two lines."""
    bare: int = 1
    # A comment is no docstring.
    "Nor is"
    name: str = ""
    """What it is called."""

    def method(self) -> None:
        """Nor is this the docstring of a field."""


class Wider(Part):
    """One that inherits keys."""

    name: str = "wide"
    """What the wider one is called."""
    width: int = 2
    """How wide it is."""


def test_the_docstring_under_a_field_describes_its_key() -> None:
    assert key_descriptions(Part) == {
        "size": "How large it is,\nin two lines.",
        "bare": "Nor is",
        "name": "What it is called.",
    }


def test_inherited_keys_are_described_and_may_be_described_anew() -> None:
    assert key_descriptions(Wider) == {
        **key_descriptions(Part),
        "name": "What the wider one is called.",
        "width": "How wide it is.",
    }


def test_without_source_nothing_is_described() -> None:
    made = type("Made", (Settings,), {"__module__": "nowhere", "__annotations__": {"size": int}})
    assert key_descriptions(made) == {}


def test_loading_a_configuration_reads_no_source_code() -> None:
    program = (
        "import ast, sys; ast.parse = None\n"
        "from datetime import date\n"
        "from orchestrator.config.loader import embedded_path, load_config\n"
        "load_config(embedded_path(), today=date(2026, 11, 23), environment={})\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
