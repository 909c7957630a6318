"""What LiteLLM is told before it is imported: to fetch no price map, to write no log, to read no `.env`."""

import os


def keep_litellm_local() -> None:
    """Let an import of LiteLLM ask no network; what the environment says already stays."""
    # Without it the import fetches a price map, three times with pauses where there is no network.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LITELLM_LOG", "ERROR")
    # Without it the import fills the environment of the whole process from a `.env` of the working folder or
    # of one above LiteLLM's own: other keys, a proxy or a tracing that config.yaml was not read with.
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")
