"""The shapes are told by what they do."""

import ast
from pathlib import Path

from orchestrator.practice import odd_shapes
from orchestrator.practice.odd_shapes import OddShape


def test_each_shape_says_what_is_odd_about_it() -> None:
    (declared,) = (
        node
        for node in ast.parse(Path(odd_shapes.__file__).read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    )
    told = [node for node in declared.body if isinstance(node, ast.Expr)]
    assert len(told) == len(OddShape) + 1
