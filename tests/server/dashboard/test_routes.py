"""The dashboard over real sockets: who sees what, in which language, and nothing that a name could start."""

from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser

import pytest
from starlette.testclient import TestClient

from orchestrator.access.api_keys import Role
from orchestrator.access.key_folder import KeyFolder, KeyRing
from orchestrator.access.settings import ServerSettings
from orchestrator.core.errors import BudgetExceededError, UnavailableError
from orchestrator.reports.analysis import analysis
from orchestrator.server.app import build_app
from orchestrator.server.dashboard import routes
from orchestrator.server.dashboard.shell import PAGES
from orchestrator.server.dashboard.snapshot import Snapshots

READ, OPERATE = (Role.READ,), (Role.READ, Role.OPERATE)
EVIL = "Đại lý <script>alert(1)</script>\"><img src=x onerror=alert(1)> & 'Sao Mai'"
PROMPT = "the secret of this customer"


class _Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.scripted, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.scripted += [name for name, _ in attrs if name.startswith("on") or name == "style"]

    def handle_data(self, data):
        self.words.append(data)


def part(running, key, name, **query):
    with running.client(key) as client:
        return client.get(f"/dashboard/parts/{name}", params=query)


def test_pages_hold_no_data_and_allow_their_own_script_alone(running):
    running.make_key()
    with running.client() as client:
        pages = [client.get(f"/dashboard/{page}") for page in (*PAGES, "requests/01ab")]
        first = client.get("/dashboard?lang=vi")
        script, style = (client.get(f"/dashboard/static/dashboard.{kind}") for kind in ("js", "css"))
    assert all(page.status_code == 200 for page in pages)
    for page in pages:
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        assert "http://" not in page.text
        assert "https://" not in page.text
    assert first.headers["location"] == "/dashboard/overview?lang=vi"
    assert script.headers["content-type"].startswith("text/javascript")
    assert style.headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("name", [*PAGES, "requests/01ab"])
def test_no_part_without_a_key_that_may_read(running, name):
    calls = running.make_key(roles=(Role.CALL,))
    assert part(running, None, name).status_code == 401
    assert part(running, f"nfk_{'0' * 12}_{'0' * 64}", name).status_code == 401
    assert part(running, calls, name).status_code == 403


def test_a_tenants_key_sees_its_own_tenant_alone(running):
    reader, operator = running.make_key(roles=READ), running.make_key(roles=OPERATE)
    own = running.orchestrator.complete("Hello?", tenant="acme")
    other = running.orchestrator.complete(
        "Hello, you?", tenant="lotus", user="lotus-user", tags=("lotus-tag",)
    )
    for name in ("overview", "budgets", "requests", "report"):
        for query in ({}, {"tenant": "lotus"}) if name == "requests" else ({},):
            seen = part(running, reader, name, **query)
            assert seen.status_code == 200
            assert "lotus" not in seen.text
    assert own.request_id in part(running, reader, "requests").text
    assert part(running, reader, f"requests/{own.request_id}").status_code == 200
    hidden, missing = (part(running, reader, f"requests/{name}") for name in (other.request_id, "0" * 32))
    assert hidden.status_code == missing.status_code == 404
    assert hidden.json()["error"]["message"].replace(other.request_id, "ID") == (
        missing.json()["error"]["message"].replace("0" * 32, "ID")
    )
    for name in ("providers", "config"):
        assert part(running, reader, name).status_code == 403
        assert part(running, operator, name).status_code == 200
    assert "lotus" in part(running, operator, "requests").text
    assert "lotus" not in part(running, operator, "requests", tenant="acme").text


def test_a_reader_sees_neither_budgets_of_others_nor_what_all_spend(serve):
    limits = [{"scope": scope, "day": 1.25} for scope in ("all", "tenant:acme", "tenant:lotus")]
    running = serve({"budgets": {"limits": limits}})
    reader, operator = running.make_key(roles=READ), running.make_key(roles=OPERATE)
    running.orchestrator.complete("Hello?", tenant="lotus")
    seen = part(running, reader, "budgets", lang="en").text
    assert "tenant:acme · day" in seen
    assert "tenant:lotus" not in seen
    assert "all requests" not in seen
    everything = part(running, operator, "budgets", lang="en").text
    assert all(
        words in everything for words in ("tenant:acme · day", "tenant:lotus · day", "all requests · day")
    )


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_a_name_is_text_on_every_page(serve, lang):
    limits = [{"scope": "tenant:*", "day": 2}]
    running = serve({"budgets": {"limits": limits}})
    operator, own = running.make_key(roles=OPERATE), running.make_key(roles=READ, tenant=EVIL)
    reply = running.orchestrator.complete("Hello?", tenant=EVIL, user=EVIL, tags=(EVIL,))
    for key in (operator, own):
        for name in ("overview", "budgets", "requests", f"requests/{reply.request_id}", "report"):
            seen = part(running, key, name, lang=lang)
            page = _Tags(seen.text)
            assert seen.status_code == 200
            assert not {"script", "img"} & set(page.tags)
            assert page.scripted == []
            if name != "overview":
                assert EVIL in "".join(page.words)
    searched = _Tags(part(running, operator, "requests", user=EVIL, model=EVIL, lang=lang).text)
    assert not {"script", "img"} & set(searched.tags)
    with running.client() as client:
        page = client.get(f"/dashboard/requests/{EVIL.replace('/', '')}", params={"lang": EVIL})
    assert _Tags(page.text).tags.count("script") == 1


def test_why_a_reply_is_degraded_is_said_in_the_language_of_the_page(running, practice):
    first = running.orchestrator.config.catalog.deployments["openrouter/gpt-6.1-sol"]
    practice.faults.add(f"openrouter:status=500,model={first.upstream}")
    reply = running.orchestrator.complete("Hello?", use_case="customer_service")
    key = running.make_key(roles=OPERATE)
    english, vietnamese = (
        part(running, key, f"requests/{reply.request_id}", lang=lang).text for lang in ("en", "vi")
    )
    assert "openrouter/gpt-6.1-sol server_error" in english
    assert "openrouter/gpt-6.1-sol lỗi máy chủ" in vietnamese
    assert "server_error" not in vietnamese


def test_the_language_is_the_named_one_else_that_of_the_browser(running):
    with running.client() as client:
        client.headers["accept-language"] = "fr, vi-VN;q=0.8, en;q=0.5"
        assert "Tổng quan" in client.get("/dashboard/overview").text
        assert "Overview" in client.get("/dashboard/overview?lang=en").text
        assert "Tỷ lệ lỗi" in client.get("/dashboard/parts/overview").text


def test_without_keys_it_is_for_this_machine_and_for_no_other_site(running):
    assert part(running, None, "overview").status_code == 200
    with running.client() as client:
        for headers in ({"origin": "https://elsewhere.example"}, {"host": "elsewhere.example"}):
            assert client.get("/dashboard/parts/overview", headers=headers).status_code == 403


def test_a_prompt_is_shown_where_it_is_kept_and_to_operations_alone(serve):
    running = serve({"record": {"tenants": {"acme": "content"}}})
    reader, operator = running.make_key(roles=READ), running.make_key(roles=OPERATE)
    kept, other = (running.orchestrator.complete(PROMPT, tenant=tenant) for tenant in ("acme", "lotus"))
    assert PROMPT in part(running, operator, f"requests/{kept.request_id}").text
    for key, reply in ((operator, other), (reader, kept)):
        assert PROMPT not in part(running, key, f"requests/{reply.request_id}").text
    for name in PAGES:
        assert PROMPT not in part(running, operator, name).text


def test_failures_circuits_and_the_error_rate_are_shown(serve, practice):
    practice.faults.add("*:status=401")
    running = serve({"local_model": {"enabled": False}})
    with pytest.raises(UnavailableError):
        running.orchestrator.complete("Hello?")
    shown = part(running, None, "providers", lang="en").text
    assert "unauthorized" in shown
    assert "open: not asked" in shown
    assert "100.0 %" in part(running, None, "overview", lang="en").text


def test_money_is_the_ledgers_and_a_refused_request_is_found(serve):
    running = serve({"budgets": {"limits": [{"scope": "tenant:lotus", "day": "0.000001"}]}})
    reply = running.orchestrator.complete("Hello?", tenant="acme")
    with pytest.raises(BudgetExceededError):
        running.orchestrator.complete("Hello?", tenant="lotus")
    detail = part(running, None, f"requests/{reply.request_id}", lang="en").text
    assert reply.deployment in detail
    assert reply.model in part(running, None, "overview").text
    failed = part(running, None, "requests", failed="1", lang="en").text
    assert "BudgetExceededError" in failed
    assert reply.request_id not in failed


@pytest.mark.parametrize(
    "query", [{"colour": "red"}, {"since": "yesterday"}, {"order": "best"}, {"before": "xyz"}], ids=str
)
def test_what_cannot_be_looked_for_is_refused_with_words(running, query):
    answer = part(running, None, "requests", **query)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_an_emptied_form_looks_for_everything(running):
    reply = running.orchestrator.complete("Hello?")
    blank = dict.fromkeys(("use_case", "model", "user", "tag", "since", "until", "tenant"), "")
    assert reply.request_id in part(running, None, "requests", **blank, order="newest").text


def test_many_viewers_cost_one_look_a_second(running, monkeypatch):
    looks = []
    read = Snapshots._read
    monkeypatch.setattr(Snapshots, "_read", lambda self: (looks.append(1), read(self))[1])
    monkeypatch.setattr("orchestrator.server.dashboard.snapshot._KEPT_S", 3600.0)
    with running.client() as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.get("/dashboard/parts/overview"), range(60)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(looks) == 1


def test_a_report_is_read_once_a_minute_and_one_that_takes_long_for_a_twentieth_of_the_time(
    practised, clock, tmp_path, monkeypatch
):
    takes_s, looks = [0.0, 10.0, 0.0], []

    def timed(*arguments, **fields):
        clock.advance(takes_s[len(looks)])
        looks.append(1)
        return analysis(*arguments, **fields)

    monkeypatch.setattr(routes, "analysis", timed)
    keys = KeyRing(KeyFolder(tmp_path / "keys"), clock=clock)
    app = build_app(practised, ServerSettings(), keys, routes=routes.dashboard_routes(practised, clock=clock))
    counts = []
    with TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 1)) as client:
        for later_s in (0, 59, 2, 199, 2):
            clock.advance(later_s)
            assert client.get("/dashboard/parts/report").status_code == 200
            counts.append(len(looks))
    assert counts == [1, 1, 2, 2, 3]


@pytest.mark.parametrize(
    "path",
    ["/dashboard/nope", "/dashboard/requests/a/b", "/dashboard//evil.example/x", "/dashboard/<script>"],
)
def test_an_address_that_is_none_is_a_page_that_leads_to_those_there_are(running, path):
    answer = running.client().get(path, headers={"accept-language": "vi"})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert 'href="/dashboard/overview?lang=vi"' in answer.text
    assert "<script" not in answer.text
    for named, meant in (
        ("/dashboard/overview/?lang=vi", "/dashboard/overview?lang=vi"),
        ("/dashboard/", "/dashboard"),
    ):
        assert running.client().get(named).headers["location"] == meant
    part = running.client().get("/dashboard/parts/nope")
    assert (part.status_code, part.json()["error"]["code"]) == (404, "not_found")
