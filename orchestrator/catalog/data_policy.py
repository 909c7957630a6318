"""What becomes of a prompt at a provider, and what a use case or a tenant demands of it.

A deployment's words count before its provider's. What nobody states is unknown, and meets no demand.
"""

from typing import Annotated, Self

from pydantic import Field, NonNegativeInt

from orchestrator.catalog.openrouter_preferences import OpenRouterPreferences
from orchestrator.core.settings import Settings

Region = Annotated[str, Field(max_length=64, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
"""A region in small letters: eu, vn, or one within it, such as eu-central-1."""


class DataPolicy(Settings):
    """Where prompts are processed, and what is done with them there; what is left out is unknown."""

    region: Region | None = None
    """Where prompts are processed, such as vn, eu or eu-central-1."""
    training: bool | None = None
    """false: nothing is learned from prompts. true: something may be."""
    retention_days: NonNegativeInt | None = None
    """For how many days prompts may be kept; 0 is not at all."""

    def behind(self, nearer: Self) -> Self:
        """Return what holds where `nearer` counts before it."""
        return (
            self.model_copy(update=nearer.model_dump(exclude_none=True)) if nearer.model_fields_set else self
        )

    def with_hosts(self, preferences: OpenRouterPreferences) -> Self:
        """Return it with what OpenRouter's preferences promise of every host that may serve."""
        promised: dict[str, bool | int] = {}
        if preferences.zdr:
            promised = {"training": False, "retention_days": 0}
        elif preferences.data_collection == "deny":
            promised = {"training": False}
        return self.model_copy(update=promised) if promised else self


UNKNOWN_POLICY = DataPolicy()


class Demands(Settings):
    """What a deployment must meet to be asked, also where a request names it."""

    regions: Annotated[tuple[Region, ...], Field(min_length=1)] | None = None
    """Prompts are processed in one of these regions, or in one within it: eu takes eu-central-1 too."""
    no_training: bool = False
    """true: nothing is learned from prompts."""
    retention_days_max: NonNegativeInt | None = None
    """Prompts are kept for so many days at most; 0 is not at all."""
    listed_languages: bool = False
    """true: only models that list the language of the reply in their `languages`."""

    def takes_region(self, region: str | None) -> bool:
        """Return whether prompts may be processed in a region; None, unknown, is in none that is demanded."""
        if self.regions is None:
            return True
        return region is not None and any(f"{region}-".startswith(f"{each}-") for each in self.regions)


NO_DEMANDS = Demands()
