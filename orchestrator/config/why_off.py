"""Why a provider of config.yaml is off, and what to set so that it is on."""

from collections.abc import Iterable

from orchestrator.catalog.catalog import MissingKey, ProviderKind, ProviderSettings
from orchestrator.catalog.litellm_prefixes import IN_PLACE_OF_KEY, TAKES_NO_KEY
from orchestrator.config.schema import RootSettings
from orchestrator.config.secret_files import remedy_of
from orchestrator.config.yaml_file import Document


def why_off(
    name: str, provider: ProviderSettings, settings: RootSettings, document: Document
) -> str | MissingKey | None:
    """Return why a provider of this name is off, None where it is on."""
    if not provider.enabled:
        return "'enabled: false' in config.yaml"
    if provider.kind is ProviderKind.LOCAL:
        return None if settings.local_model.enabled else "'local_model.enabled: false' in config.yaml"
    if not provider.has_key:
        return MissingKey(name, " or ".join(_remedies(name, provider, document)))
    return None


def _remedies(name: str, provider: ProviderSettings, document: Document) -> Iterable[str]:
    """Return what to set so that a provider has a key, or what its prefix takes in the place of one."""
    fields = [] if provider.prefix in TAKES_NO_KEY else ["api_key"]
    fields += [f"parameters.{other}" for other in IN_PLACE_OF_KEY.get(provider.prefix or "", ())]
    places = [("providers", name, *field.split(".")) for field in fields]
    variables = dict.fromkeys(each for place in places for each in document.mentioned.get(place, ()))
    return map(remedy_of, variables or (f"providers.{name}.{fields[0]} in config.yaml",))
