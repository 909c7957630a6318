"""The page around the data: it holds none, so anybody may have it; its script asks with a key."""

from importlib.resources import files
from urllib.parse import quote, urlencode

from orchestrator.core.language import Language
from orchestrator.reports.html_parts import STYLE, text
from orchestrator.server.dashboard.words import DASHBOARD_WORDS

PAGES = ("overview", "models", "budgets", "providers", "requests", "report", "experiments", "config")
_LIVE = frozenset({"overview", "models", "budgets", "providers"})
"""Asked for again and again; the others are read when they are opened."""
_LANGUAGE_NAMES = {Language.VI: "Tiếng Việt", Language.EN: "English"}

SECURITY = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}


def script() -> str:
    """Return the script of every page."""
    return files(__package__).joinpath("dashboard.js").read_text(encoding="utf-8")


def style() -> str:
    """Return the style sheet: that of a report, and what only the dashboard has."""
    return STYLE + files(__package__).joinpath("dashboard.css").read_text(encoding="utf-8")


def shell(page: str, language: Language, *, request_id: str | None = None) -> str:
    """Return a page without data; `request_id` is that of a page of one request."""
    words = DASHBOARD_WORDS[language]
    path = page if request_id is None else f"{page}/{quote(request_id, safe='')}"
    navigation = "".join(
        f'<a href="/dashboard/{name}?lang={language}"{" aria-current=page" if name == page else ""}>'
        f"{text(words[name])}</a>"
        for name in PAGES
    )
    others = "".join(
        f'<a href="?{urlencode({"lang": other.value})}" lang="{other}" class=language>{text(name)}</a>'
        for other, name in _LANGUAGE_NAMES.items()
        if other is not language
    )
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{text(words[page])} · NextFlow</title><link rel=icon href="data:,">'
        '<link rel=stylesheet href="/dashboard/static/dashboard.css">'
        '<script src="/dashboard/static/dashboard.js" defer></script></head><body>'
        f'<a class=skip href="#content">{text(words["skip"])}</a>'
        f'<header><nav aria-label="{text(words["pages"])}">{navigation}</nav><p class=tools>{others}'
        f"<button id=leave hidden>{text(words['leave'])}</button></p></header>"
        f"<h1>{text(words[page])}</h1>"
        f'<p id=note role=status hidden data-lost="{text(words["lost"])}"></p>'
        f"<form id=door hidden><label>{text(words['key'])} <input id=key type=password autocomplete=off "
        f"spellcheck=false required></label><button>{text(words['open'])}</button>"
        f"<p class=soft>{text(words['key_help'])}</p></form>"
        f'<main id=content tabindex=-1 data-part="/dashboard/parts/{text(path)}" '
        f'data-live="{int(page in _LIVE)}" data-language="{language}"><p class=soft>{text(words["loading"])}</p></main>'
        f"<noscript><p>{text(words['no_script'])}</p></noscript></body></html>\n"
    )


def nowhere(language: Language) -> str:
    """Return the page of an address that there is not: it says so, and leads to those that there are."""
    words = DASHBOARD_WORDS[language]
    pages = "".join(
        f'<li><a href="/dashboard/{name}?lang={language}">{text(words[name])}</a></li>' for name in PAGES
    )
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{text(words["nowhere"])} · NextFlow</title><link rel=icon href="data:,">'
        '<link rel=stylesheet href="/dashboard/static/dashboard.css"></head><body>'
        f"<h1>{text(words['nowhere'])}</h1><main id=content><p>{text(words['nowhere_help'])}</p>"
        f"<ul>{pages}</ul></main></body></html>\n"
    )
