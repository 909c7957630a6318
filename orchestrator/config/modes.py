"""Which use cases answer chats and which make embeddings; neither is ever asked for the other."""

from collections.abc import Iterator

from orchestrator.catalog.catalog import Catalog, ProviderKind, ProviderSettings
from orchestrator.catalog.models import Mode, ModelSettings
from orchestrator.config.schema import RootSettings
from orchestrator.config.yaml_file import Document
from orchestrator.core.embedding import EmbeddingRequest
from orchestrator.core.errors import InvalidRequestError, UnknownNameError
from orchestrator.core.request import ChatRequest


def chat_only(provider: ProviderSettings, model: ModelSettings, settings: RootSettings) -> str | None:
    """Return why the model on board serves no embedding model; None where that is not what is meant."""
    is_on_board = provider.kind is ProviderKind.LOCAL and not settings.local_model.base_url
    if not is_on_board or model.mode is Mode.CHAT:
        return None
    return "the model on board makes no embeddings; set local_model.base_url to a server that does"


def mode_of(settings: RootSettings, use_case: str) -> Mode:
    """Return what a use case that is defined answers with: that of the models of its route."""
    primary = settings.use_cases[use_case].primary.deployment
    return settings.models[settings.deployments[primary].model].mode


def use_cases_of(settings: RootSettings, mode: Mode) -> tuple[str, ...]:
    """Return the use cases that answer so, in the order of the file."""
    return tuple(name for name in settings.use_cases if mode_of(settings, name) is mode)


def embedding_use_case(settings: RootSettings) -> str:
    """Return the use case of an embedding request that names none: the first that makes embeddings.

    Raises:
        UnknownNameError: config.yaml defines none.
    """
    known = use_cases_of(settings, Mode.EMBEDDING)
    if not known:
        raise UnknownNameError(
            "config.yaml defines no use case that makes embeddings: add one whose primary is a deployment of a "
            "model with 'mode: embedding'"
        )
    return known[0]


def check_mode(request: ChatRequest, settings: RootSettings, catalog: Catalog) -> None:
    """Refuse a chat that is asked of what makes embeddings, and the other way round.

    Its use case is one that is defined.

    Raises:
        InvalidRequestError: the use case is of the other mode.
        UnknownNameError: the model is, or config.yaml does not define it.
    """
    name = request.use_case
    mode = Mode.EMBEDDING if isinstance(request, EmbeddingRequest) else Mode.CHAT
    if mode_of(settings, name) is not mode:
        others = ", ".join(use_cases_of(settings, mode)) or "none is defined in config.yaml"
        raise InvalidRequestError(
            f"use case '{name}' answers chats and makes no embeddings; those that do: {others}"
            if mode is Mode.EMBEDDING
            else f"use case '{name}' makes embeddings and answers no chat: ask it with embed(); for chats: {others}"
        )
    if request.model is not None:
        # Planning looks it up too; a misspelt name is told before anything is loaded or waited for.
        catalog.named(request.model, mode=mode)


def mixed_routes(document: Document, settings: RootSettings) -> Iterator[str]:
    """Yield the places of routes that no request can fall back to: of another mode, or with other vectors."""
    if mode := _mode_of_default(settings):
        where = document.where(("default_use_case",))
        yield f"{where}: '{settings.default_use_case}' is of mode {mode}; the default is for chats"
    for key, use_case in settings.use_cases.items():
        primary = model_at(settings, use_case.primary.deployment)
        for place, step in enumerate(use_case.fallbacks):
            model = model_at(settings, step.deployment)
            if primary is None or model is None or primary[0] == model[0]:
                continue
            where = document.where(("use_cases", key, "fallbacks", place, "deployment"))
            if primary[1].mode is not model[1].mode:
                yield f"{where}: '{model[0]}' is of mode {model[1].mode}, the primary of mode {primary[1].mode}"
            elif model[1].mode is Mode.EMBEDDING:
                yield (
                    f"{where}: vectors of '{model[0]}' cannot be compared with those of '{primary[0]}': an "
                    "embedding falls back to another deployment of the same model alone"
                )


def _mode_of_default(settings: RootSettings) -> Mode | None:
    use_case = settings.use_cases.get(settings.default_use_case)
    known = None if use_case is None else model_at(settings, use_case.primary.deployment)
    return None if known is None or known[1].mode is Mode.CHAT else known[1].mode


def model_at(settings: RootSettings, deployment: str) -> tuple[str, ModelSettings] | None:
    """Return the model of a deployment with its name, None where one of both is not defined."""
    place = settings.deployments.get(deployment)
    if place is None or place.model not in settings.models:
        return None
    return place.model, settings.models[place.model]
