"""What the keys of config.yaml mean: the docstrings under the fields of the settings types.

They are read from the source where somebody asks for them, a schema or a mistake. Reading them for every type
that is defined would be a sixth of what each process pays for its start.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise

from orchestrator.core.settings import Settings


@cache
def key_descriptions(settings: type[Settings]) -> Mapping[str, str]:
    """Return the docstring under each field of a settings type, those that it inherits included.

    Empty where the source is not there, as in an installation of bytecode alone.
    """
    described: dict[str, str] = {}
    for part in reversed(settings.__mro__):
        if issubclass(part, Settings):
            described.update(_docstrings(part))
    return described


def _docstrings(part: type) -> Iterator[tuple[str, str]]:
    try:
        source = inspect.getsource(part)
    except (OSError, TypeError):
        return
    body = ast.parse(textwrap.dedent(source)).body[0]
    statements = body.body if isinstance(body, ast.ClassDef) else []
    for field, below in pairwise(statements):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            text = below.value if isinstance(below, ast.Expr) else None
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield field.target.id, inspect.cleandoc(text.value)
