"""Classes of service: what a provider takes for an answer in another one than the price list is for.

We ask OpenAI for `default` by name. A server that answers in another class may charge for that.
"""

LIST_PERCENT = 100
_AT_MOST_THE_LIST = frozenset({"default", "standard", "auto", "on_demand", "scale", "flex", "batch"})
_PRIORITY_PERCENT = 250
"""OpenAI's models take 1.67 to 2.5 times the list for it, by LiteLLM's map of 2026-11."""
_DEAREST_PERCENT = 600
"""What the dearest class takes, `ultrafast`; one that nobody has named yet is booked as that."""


def tier_percent(service_tier: str | None) -> int:
    """Return how much of the list price an answer in a class of service costs at most, in percent."""
    if service_tier is None or service_tier in _AT_MOST_THE_LIST:
        return LIST_PERCENT
    return _PRIORITY_PERCENT if service_tier == "priority" else _DEAREST_PERCENT
