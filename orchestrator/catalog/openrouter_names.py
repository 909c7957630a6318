"""Names of models at OpenRouter: which of them buy tokens and nothing else.

A name may end in a variant (https://openrouter.ai/docs/guides/routing/model-variants). Most choose another
host, or another entry of the price list. `:online` buys a web search with each request, a preset whatever its
account says, a model that searches bills each search or each request. No price of tokens states that, so no
money could be held for it.
"""

import re

TOKEN_VARIANTS = ("free", "batch", "extended", "thinking", "exacto", "nitro", "floor", "beta")
"""Variants whose whole price is that of their tokens; of any other nobody here knows."""
_SEARCHES = re.compile(
    r"search-(preview|api)|deep-research|(^|/)sonar(-|:|$)|[:-]online(:|$)|(^|/)compound(-beta)?(-mini)?(:|$)",
    re.IGNORECASE,
)
"""OpenAI's, Perplexity's and Groq's models that search by themselves, and `:online`, whoever hosts them."""


def fault_of_search(upstream: str) -> str | None:
    """Return why nothing could be held for a model that searches by itself, None for any other.

    https://platform.openai.com/docs/pricing, https://docs.perplexity.ai/getting-started/pricing,
    https://groq.com/pricing (compound systems)
    """
    if _SEARCHES.search(upstream) is None:
        return None
    return (
        f"'{upstream}' searches by itself, and each search or request is billed beside its tokens; a price of "
        "tokens does not state that, so no money could be held for it. Name a model that does not search"
    )


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
