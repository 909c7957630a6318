"""Loads LiteLLM once, kept from the network and from its own ideas of money and logging."""

import contextlib
import importlib
import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from orchestrator.core.error_place import place_of_error
from orchestrator.core.errors import ConfigError
from orchestrator.core.quiet_logs import quiet_libraries

LOADED_LATE = (
    "litellm.litellm_core_utils.default_encoding",
    "litellm.litellm_core_utils.streaming_chunk_builder_utils",
    "litellm.llms.vertex_ai.context_caching.vertex_ai_context_caching",
    "litellm.proxy.guardrails.exception_utils",
    "litellm.proxy.openai_files_endpoints.common_utils",
    "openai.resources",
    "openai.resources.chat",
    "fastapi.exceptions",
    "anyio._backends._asyncio",
)
"""What LiteLLM would import with the first call of each kind and with the first failure: together more than a
second of CPU on the event loop, in which every request under way would wait."""

LOADED_FOR: Mapping[str, tuple[str, ...]] = {
    "bedrock": (
        *("boto3", "botocore.auth", "botocore.eventstream", "botocore.parsers"),
        "litellm.llms.bedrock.chat.converse_handler",
    ),
    "vertex_ai": (
        *("google.auth.identity_pool", "google.auth.transport.requests", "google.oauth2.service_account"),
        "litellm.llms.anthropic.completion.transformation",
    ),
}
"""What LiteLLM would import with the first call of a prefix: a third of a second on the event loop."""

ENTRY_ID = "deployment "
"""How the ids of our entries in a Router begin."""
_LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")

_litellm: Any = None
LOADING = threading.RLock()
"""Two first requests at once must not put the guard into LiteLLM's list twice, nor build two Routers."""


def load_litellm() -> Any:
    """Return LiteLLM, imported and set up with the first call, which takes seconds.

    Raises:
        ConfigError: what is installed cannot be imported, or is not what it is set up for.
    """
    with LOADING:
        if _litellm is not None:
            return _litellm
        try:
            return _load()
        except Exception as exc:
            # What an import says names a module or a file; any other text may quote anything.
            why = str(exc) if isinstance(exc, ImportError) else place_of_error(exc, frames_max=2)
            msg = (
                f"LiteLLM {_version()} cannot be loaded: {why}; "
                "install again what requirements.lock names, in an environment of its own"
            )
            raise ConfigError(msg) from exc


def _version() -> str:
    try:
        return version("litellm")
    except PackageNotFoundError:
        return "(not installed)"


def load_for(prefix: str) -> None:
    """Import what LiteLLM needs for a prefix alone."""
    _import(LOADED_FOR.get(prefix, ()))
    quiet_libraries()


def _import(names: Iterable[str]) -> None:
    for name in names:
        # What has moved is imported by whatever needs it, as before.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def _load() -> Any:
    global _litellm  # noqa: PLW0603 -- an import is process-wide, and so is its configuration
    import litellm  # noqa: PLC0415 -- takes seconds

    # Without it tiktoken fetches a vocabulary from the network.
    os.environ.setdefault(
        "TIKTOKEN_CACHE_DIR", str(Path(litellm.__file__).parent / "litellm_core_utils" / "tokenizers")
    )
    callbacks = (litellm.input_callback, litellm.success_callback, litellm._async_success_callback)  # noqa: SLF001
    before = [list(names) for names in callbacks]
    _import(LOADED_LATE)
    # Vertex's context caching makes a cache that asks to be told of every call: LiteLLM would then log each
    # in a thread, a seventh of what a call costs.
    for names, kept in zip(callbacks, before, strict=True):
        names[:] = kept
    litellm.disable_hf_tokenizer_download = True
    litellm.suppress_debug_info = True
    litellm.expose_router_debug_in_errors = False
    litellm.telemetry = False
    litellm.drop_params = True
    from orchestrator.providers.litellm.hooks import keep_guard  # noqa: PLC0415 -- needs LiteLLM's base class

    keep_guard()
    _keep_from_printing()
    _keep_from_input_callbacks()
    _keep_from_the_proxy(litellm)
    _keep_from_asking_for_tokens()
    _let_an_answer_repeat_itself()
    quiet_libraries()
    for name in _LOGGERS:
        # Their lines quote prompts, replies and providers' error bodies; ours say what happened.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    _litellm = litellm
    return litellm


def _keep_from_printing() -> None:
    """Let LITELLM_PRINT_STANDARD_LOGGING_PAYLOAD print nothing of ours; calls of the program go as before."""
    from litellm.litellm_core_utils import litellm_logging  # noqa: PLC0415 -- with LiteLLM alone

    original = litellm_logging.emit_standard_logging_payload

    def emit(payload: Mapping[str, Any]) -> None:
        # It may be called in a task of LiteLLM's own, which knows nothing of the send.
        if not str(payload.get("model_id")).startswith(ENTRY_ID):
            original(payload)  # type: ignore[arg-type]  # as it came

    litellm_logging.emit_standard_logging_payload = emit


def _keep_from_input_callbacks() -> None:
    """Let `input_callback` hear nothing of ours: Sentry and loggers of the program get prompt, reply and key.

    `no-log` and `is_internal_call` do not hold for it. Calls of the program go as before.
    """
    from litellm.litellm_core_utils.litellm_logging import Logging  # noqa: PLC0415 -- with LiteLLM alone

    from orchestrator.providers.litellm.sending import CURRENT_SENDING  # noqa: PLC0415 -- with LiteLLM alone

    def of_others(original: Callable[..., None]) -> Callable[..., None]:
        def tell(self: Logging, *args: Any, **kwargs: Any) -> None:
            if CURRENT_SENDING.get() is None:
                original(self, *args, **kwargs)

        return tell

    Logging.pre_call = of_others(Logging.pre_call)  # type: ignore[method-assign]
    Logging.post_call = of_others(Logging.post_call)  # type: ignore[method-assign]


def _keep_from_the_proxy(litellm: Any) -> None:
    """Let USE_LITELLM_PROXY send nothing of ours to another address; calls of the program go as before."""
    from orchestrator.providers.litellm.sending import CURRENT_SENDING  # noqa: PLC0415 -- with LiteLLM alone

    original = litellm.LiteLLMProxyChatConfig.should_use_litellm_proxy_by_default

    def by_default(*args: Any, **kwargs: Any) -> bool:
        return CURRENT_SENDING.get() is None and bool(original(*args, **kwargs))

    litellm.LiteLLMProxyChatConfig.should_use_litellm_proxy_by_default = staticmethod(by_default)


def _keep_from_asking_for_tokens() -> None:
    """Let DATABRICKS_CLIENT_ID and its secret ask for no token of ours: what is sent has the configured key.

    LiteLLM would ask for one before each send, on the event loop and by a client that no limit of ours holds,
    and then not use it. Calls of the program go as before.
    """
    from litellm.llms.databricks.common_utils import DatabricksBase  # noqa: PLC0415 -- with LiteLLM alone

    from orchestrator.providers.litellm.sending import CURRENT_SENDING  # noqa: PLC0415 -- with LiteLLM alone

    original = DatabricksBase._get_oauth_m2m_token  # noqa: SLF001 -- its only place

    def token(self: DatabricksBase, *args: Any, **kwargs: Any) -> str:
        return "" if CURRENT_SENDING.get() is not None else original(self, *args, **kwargs)

    DatabricksBase._get_oauth_m2m_token = token  # type: ignore[method-assign]  # noqa: SLF001


def _let_an_answer_repeat_itself() -> None:
    """Let a hundred equal pieces of ours pass, as in a table; calls of the program go as before.

    LiteLLM would give up an answer that is being paid for.
    """
    from litellm import CustomStreamWrapper  # noqa: PLC0415 -- with LiteLLM alone

    from orchestrator.providers.litellm.sending import CURRENT_SENDING  # noqa: PLC0415 -- with LiteLLM alone

    original = CustomStreamWrapper.raise_on_model_repetition

    def look(self: CustomStreamWrapper) -> None:
        if CURRENT_SENDING.get() is None:
            original(self)

    CustomStreamWrapper.raise_on_model_repetition = look
