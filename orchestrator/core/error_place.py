"""Where an unforeseen error came from: its type and the lines of code, and nothing that it says.

The text of such an error may quote a prompt, a row of a file or a key.
"""

import traceback

_FRAMES_MAX = 8


def place_of_error(error: BaseException, *, frames_max: int = _FRAMES_MAX) -> str:
    """Return `KeyError at file:line function < file:line function`, the place of the error first."""
    frames = traceback.extract_tb(error.__traceback__)[-frames_max:]
    way = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    return f"{type(error).__name__} at {way}" if way else type(error).__name__
