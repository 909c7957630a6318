"""Names of models at OpenRouter: which of them buy tokens and nothing else.

A name may end in a variant (https://openrouter.ai/docs/guides/routing/model-variants). Most choose another
host, or another entry of the price list. `:online` buys a web search with each request, a preset whatever its
account says. No price of tokens states that, so no money could be held for it.
"""

TOKEN_VARIANTS = ("free", "batch", "extended", "thinking", "exacto", "nitro", "floor", "beta")
"""Variants whose whole price is that of their tokens; of any other nobody here knows."""


def fault_of_name(upstream: str) -> str | None:
    """Return why nothing could be held for a model of this name, None where all it buys is tokens."""
    base, colon, variant = upstream.partition(":")
    if "@" in upstream:
        return (
            f"'{upstream}' is a preset of the account, which may add searches and other models, and no price "
            "states that; name a model"
        )
    if not colon or variant in TOKEN_VARIANTS:
        return None
    return (
        f"nobody here knows what ':{variant}' of '{upstream}' costs beside tokens (':online' is a web search "
        f"billed for each request), so no money could be held for it; name '{base}', or its variant "
        f"{', '.join(TOKEN_VARIANTS[:-1])} or {TOKEN_VARIANTS[-1]}"
    )
