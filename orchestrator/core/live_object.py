"""An object that is one for its process: its copies are itself, and it is written down nowhere."""

from abc import ABC, abstractmethod
from typing import NoReturn, Self


class CopiedAsItself:
    """Its copies are itself, also in copies of what holds it."""

    __slots__ = ()

    def __copy__(self) -> Self:
        """Return the object itself."""
        return self

    def __deepcopy__(self, memo: object) -> Self:
        """Return the object itself."""
        return self


class LiveObject(CopiedAsItself, ABC):
    """Holds threads, connections and open files, until it is closed."""

    @abstractmethod
    def close(self) -> None:
        """Close all of it."""

    def __enter__(self) -> Self:
        """Return the object itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Raise: threads, connections and an open ledger cannot be written down.

        Raises:
            TypeError: says what to do instead.
        """
        msg = (
            "an Orchestrator holds threads, connections and its open ledger, and cannot be pickled; make one in "
            "each process with Orchestrator.from_config(): those on one ledger file share its budgets"
        )
        raise TypeError(msg)
