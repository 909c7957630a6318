"""What LiteLLM is told before it is imported: to fetch no price map and to write no log."""

import os


def keep_litellm_local() -> None:
    """Let an import of LiteLLM ask no network; what the environment says already stays."""
    # Without it the import fetches a price map, three times with pauses where there is no network.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LITELLM_LOG", "ERROR")
