"""Who looks at the dashboard: what he may see, in which language and time zone."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from orchestrator.core.figures import Figures
from orchestrator.core.language import Language


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks, and how it is written for him."""

    tenant: str | None
    """Whose data alone are shown; None for everybody's."""
    scopes: frozenset[str]
    """The budgets that are shown where `tenant` is named."""
    language: Language
    zone: ZoneInfo

    @property
    def figures(self) -> Figures:
        """How numbers are written for him."""
        return Figures(self.language)

    def sees(self, scope: str) -> bool:
        """Return whether the budget of a scope is shown."""
        return self.tenant is None or scope in self.scopes

    def moment(self, at: datetime) -> str:
        """Return a moment in his time zone."""
        return f"{at.astimezone(self.zone):%Y-%m-%d %H:%M:%S}"
