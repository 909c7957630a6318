"""Which prices of a source are of tokens: an entry that charges by anything else states no price here.

A source names what it charges for. What is known here is a rate of tokens, or a fee for something that no
request of ours asks for (a search, a longer cache). Whatever else an entry charges for (a request, a page, a
second, a citation, what comes next year) no price of tokens can state, so no money could be held for it.
"""

import re
from collections.abc import Mapping
from typing import Any

_UNASKED = frozenset(
    {"cache_write_1h_mtok", "cache_audio_read_mtok", "cache_image_read_mtok"}
    | {"web_searches_kcount", "storage_searches_kcount"}
)
"""What the snapshot charges for and nobody here asks for, or counts dearer than it is."""
SNAPSHOT_UNITS = _UNASKED | {
    *("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "input_audio_mtok"),
    *("output_audio_mtok", "input_image_mtok", "output_image_mtok", "input_video_mtok"),
    *("output_video_mtok", "output_reasoning_mtok"),
}
"""What an entry of the snapshot may charge for."""

_OF_TOKENS = re.compile(
    r"(?:input|output)_cost_per_(?:(?:audio|image|video|reasoning)_)?token(?:_.*)?"
    r"|(?:explicit_)?cache_(?:creation|read)_.*cost.*"
)
_OF_TOOLS = re.compile(
    r"(?:search_context|google_maps_grounding|web_search|file_search|code_interpreter|vector_store|computer_use)_.*"
    r"|.*_dbu_cost_per_token"
)
"""What a tool costs that no request of ours may have, and the same price in another currency."""
_INSTEAD_OF_TOKENS = re.compile(
    r"(?P<side>input|output)_cost_per_(?:character|image|second|(?:audio|video)_per_second)(?:_.*)?"
)
"""Another way to charge for the same, which counts where the price of tokens is none."""
_ANSWERS_CHATS = frozenset({None, "chat", "completion", "responses"})


def is_of_tokens(entry: Mapping[str, Any], *, input_rate: int, output_rate: int) -> bool:
    """Return whether all that an entry of LiteLLM's map charges for is stated by its rates of tokens."""
    if entry.get("mode") in _ANSWERS_CHATS and output_rate == 0 < input_rate:
        # What chooses another model, which is billed beside it.
        return False
    rates = {"input": input_rate, "output": output_rate}
    charged = (
        name for name, value in entry.items() if value and ("_cost_" in name or name.endswith("_cost"))
    )
    for name in charged:
        if _OF_TOKENS.fullmatch(name) or _OF_TOOLS.fullmatch(name):
            continue
        instead = _INSTEAD_OF_TOKENS.fullmatch(name)
        if instead is None or rates[instead["side"]] == 0:
            return False
    return True
