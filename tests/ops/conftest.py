"""A configuration in front of practice providers."""

from tests.support.configured import configured, practice

__all__ = ["configured", "practice"]
