"""What the first choice of a chat model can do, in LangChain's words."""

from typing import Any

from langchain_core.language_models import ModelProfile

from orchestrator.catalog.catalog import Catalog
from orchestrator.catalog.models import Capability


def profile_of(orchestrator: Any, *, use_case: str | None, model: str | None) -> ModelProfile | None:
    """Return what the first choice can do; None where the names lead nowhere (the call will say why)."""
    settings = orchestrator.config.settings
    catalog: Catalog = orchestrator.config.catalog
    chosen = settings.use_cases.get(use_case or settings.default_use_case)
    name = model or (chosen.primary.deployment if chosen else None)
    if name is not None and name in catalog.aliases:
        name = catalog.aliases[name].model
    if name in settings.deployments:
        name = settings.deployments[name].model
    chosen_model = catalog.models.get(name or "")
    if chosen_model is None:
        return None
    can = chosen_model.capabilities
    return ModelProfile(
        max_input_tokens=chosen_model.context_tokens,
        max_output_tokens=chosen_model.max_output_tokens,
        tool_calling=Capability.TOOLS in can,
        structured_output=Capability.STRUCTURED_OUTPUT in can,
        image_inputs=Capability.VISION in can,
        audio_inputs=Capability.AUDIO in can,
        pdf_inputs=Capability.PDF in can,
        reasoning_output=Capability.REASONING in can,
    )
