"""A statement of SQL in one spelling, by its tokens alone.

Spaces, comments, the case of words, quotes around plain names, a last semicolon and `<>` for `!=` make no
difference. Nothing is parsed: the order of conditions, aliases and joins stays, so two statements that mean
the same may have two forms. They then do not agree, which costs a call and never accepts a wrong answer.
"""

import re

_TOKEN = re.compile(
    r"(?P<skip>\s+|--[^\n]*|/\*.*?\*/)"
    r"|(?P<text>'(?:[^']|'')*')"
    r'|(?P<quoted>"(?:[^"]|"")+"|`[^`]+`|\[[^\]]+\])'
    r"|(?P<number>\d+\.?\d*(?:e[-+]?\d+)?|\.\d+)"
    r"|(?P<word>[^\W\d]\w*)"
    r"|(?P<sign><>|!=|<=|>=|\|\||::|->>|->|[-+*/%=<>(),.;:?@&|^~#$!])",
    re.IGNORECASE | re.DOTALL,
)
_FENCE = re.compile(r"\s*```(?:sql)?\s*\n(?P<inside>.*?)\n?\s*```\s*", re.IGNORECASE | re.DOTALL)
_FIRST_WORDS = frozenset({"select", "with", "insert", "update", "delete", "merge", "values", "explain"})
_PLAIN_NAME = re.compile(r"[^\W\d]\w*")
_CHARS_MAX = 100_000


def sql_form(text: str) -> str | None:
    """Return the canonical tokens of one statement; None where it is none, or cannot be read to its end."""
    if len(text) > _CHARS_MAX:
        return None
    fenced = _FENCE.fullmatch(text)
    statement = fenced["inside"] if fenced else text
    tokens, position = [], 0
    while position < len(statement):
        match = _TOKEN.match(statement, position)
        if match is None:
            return None
        position = match.end()
        if match.lastgroup != "skip":
            tokens.append(_canonical(match))
    while tokens and tokens[-1] == ";":
        tokens.pop()
    if not tokens or tokens[0].strip("(") not in _FIRST_WORDS or ";" in tokens:
        return None
    return " ".join(tokens)


def _canonical(match: re.Match[str]) -> str:
    token = match.group()
    if match.lastgroup == "text":
        return token
    if match.lastgroup == "quoted":
        name = token[1:-1]
        return name.casefold() if _PLAIN_NAME.fullmatch(name) else f'"{name}"'
    if match.lastgroup == "number":
        return token.rstrip("0").rstrip(".") if "." in token and "e" not in token.casefold() else token
    return token.casefold().replace("<>", "!=")
