"""A team's own chains, found where it says: `package.module`, or `package.module:name`."""

from collections.abc import Mapping
from typing import Any

from orchestrator.chains.maker import ChainMaker
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.own_modules import own_module
from orchestrator.core.unknown_names import hint_for


def own_chains(place: str) -> Mapping[str, ChainMaker[Any, Any]]:
    """Return the chains of a module by their names, or the one that is named behind the colon.

    Raises:
        InvalidRequestError: the module cannot be imported, or has no such chain, or none.
    """
    module_name, _, variable = place.partition(":")
    module = own_module(module_name)
    makers = {name: each for name, each in vars(module).items() if isinstance(each, ChainMaker)}
    if not makers:
        raise InvalidRequestError(
            f"{module_name} ({module.__file__}) has no chain: make one there with make_chain, at the top level"
        )
    if variable:
        if variable not in makers:
            raise InvalidRequestError(f"{module_name} has no chain '{variable}'{hint_for(variable, makers)}")
        return {makers[variable].name: makers[variable]}
    return {maker.name: maker for maker in makers.values()}
