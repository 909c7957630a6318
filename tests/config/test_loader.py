"""config.yaml: the shipped one is whole, and a wrong one names each mistake, its place, and what was likely meant."""

import os
import re
import traceback
from datetime import date
from pathlib import Path

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from orchestrator import Orchestrator
from orchestrator.catalog.catalog import ProviderKind, ProviderSettings
from orchestrator.catalog.models import Capability, Mode, ModelClass
from orchestrator.config import loader as config_module
from orchestrator.config.file_schema import json_schema
from orchestrator.config.loader import default_path, embedded_path, load_config
from orchestrator.config.modes import use_cases_of
from orchestrator.config.schema import RootSettings
from orchestrator.config.yaml_file import parse_document
from orchestrator.core.errors import ConfigError
from tests.support.unprivileged import NOBODY

TODAY = date(2026, 11, 23)
TEXT = embedded_path().read_text(encoding="utf-8")
SECRET = "sk-or-v1-0123456789abcdef"
KEYS = {"OPENROUTER_API_KEY": SECRET, "GEMINI_API_KEY": "AIza-secret", "OPENAI_API_KEY": "sk-proj-secret"}

NAMES_OF_THE_SOURCE = (
    # 1.2
    "gpt-4-turbo-preview", "claude-3-sonnet", "gemini-pro", "llama-2-70b-chat", "claude-3-opus", "gpt-4",
    "mixtral-8x7b", "gpt-4-turbo", "codellama-34b", "gpt-3.5-turbo", "claude-instant", "llama-2-13b", "mistral-7b",
    # 3.2
    "claude-instant-1",
    # 4.3, 5.1 and 7.1 name no others, but for the short form of one and the local one
    "llama-2-70b", "llama-2-7b",
)  # fmt: skip


@pytest.fixture
def load(tmp_path):
    def load_text(text: str | bytes, **environment: str):
        path = tmp_path / "config.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return load_config(path, today=TODAY, environment={**KEYS, **environment})

    return load_text


@pytest.fixture
def mistakes(load):
    """Return the lines that a changed copy of the shipped file is refused with, without its folder."""

    def mistakes_of(old: str, new: str) -> list[str]:
        assert old in TEXT, "the shipped file changed: adapt this test"
        with pytest.raises(ConfigError) as caught:
            load(TEXT.replace(old, new, 1))
        return [re.sub(r"^\S*/config\.yaml", "config.yaml", line) for line in str(caught.value).splitlines()]

    return mistakes_of


def place_of(needle: str, text: str = TEXT) -> str:
    """Return `line:column` of a text, as an editor counts them."""
    before = text[: text.index(needle)]
    return f"{before.count(chr(10)) + 1}:{len(before) - (before.rfind(chr(10)) + 1) + 1}"


SHIPPED = load_config(embedded_path(), today=TODAY, environment=KEYS)


# ---- the shipped file


def test_the_shipped_file_is_valid_and_everything_in_it_is_in_force():
    assert SHIPPED.notices == ()
    assert SHIPPED.catalog.off == {}


def test_ten_models_and_more_are_configured_in_every_tier():
    """A01."""
    tiers = [model.tier for model in SHIPPED.settings.models.values()]
    assert len(tiers) >= 10
    assert set(tiers) == set(ModelClass)


def test_the_four_levels_of_providers_are_those_of_the_source():
    levels = sorted(SHIPPED.settings.providers.items(), key=lambda item: item[1].priority)
    assert [(name, provider.priority, provider.kind) for name, provider in levels] == [
        ("openrouter", 1, ProviderKind.OPENROUTER),
        ("google", 2, ProviderKind.GOOGLE),
        ("openai", 3, ProviderKind.OPENAI),
        ("local", 4, ProviderKind.LOCAL),
    ]


def test_the_numbers_of_the_source_are_the_shipped_ones():
    """B01, B05, B07, B08, F01-F03."""
    openrouter = SHIPPED.settings.providers["openrouter"]
    assert openrouter.base_url == "https://openrouter.ai/api/v1"
    assert (openrouter.timeout_s, openrouter.requests_per_min, openrouter.tokens_per_min) == (30, 60, 100_000)
    assert set(openrouter.headers) == {"HTTP-Referer", "X-Title"}
    limit = next(limit for limit in SHIPPED.settings.budgets.limits if limit.scope == "all")
    assert (limit.request, limit.day, limit.month) == (500_000_000, 100_000_000_000, 2_500_000_000_000)


def test_every_model_is_served_and_every_place_has_a_price_with_source_and_date():
    served = {deployment.model_name for deployment in SHIPPED.catalog.usable.values()}
    assert served == set(SHIPPED.settings.models)
    for deployment in SHIPPED.catalog.usable.values():
        assert deployment.price.source
        assert date(2026, 1, 1) <= deployment.price.date <= TODAY
        assert deployment.is_local or deployment.price.input > 0
        has_output = deployment.model.mode is Mode.CHAT and not deployment.is_local
        assert (deployment.price.output > 0) is has_output


def test_every_model_says_how_good_it_is_at_what_and_how_that_is_known():
    for model in SHIPPED.settings.models.values():
        if model.mode is Mode.EMBEDDING:
            assert model.dimensions
            continue
        assert set(model.quality) == set(use_cases_of(SHIPPED.settings, Mode.CHAT))
        assert model.quality_source
        assert Capability.STREAMING in model.capabilities


@pytest.mark.parametrize(
    "use_case", ["customer_service", "content_generation", "data_analysis", "cost_sensitive"]
)
def test_every_use_case_has_a_route_over_all_levels_with_a_reason_for_each(use_case):
    route = SHIPPED.settings.use_cases[use_case].route
    reasons = [step.reason for step in route]
    assert all(len(reason) > 20 for reason in reasons)
    assert len(set(reasons)) == len(reasons)
    levels = [SHIPPED.catalog.deployments[step.deployment].provider.priority for step in route]
    assert levels == sorted(levels)
    assert set(levels) == {1, 2, 3, 4}


@pytest.mark.parametrize("name", NAMES_OF_THE_SOURCE)
def test_every_name_of_the_source_document_leads_to_a_model_and_says_why(name):
    """D6."""
    assert SHIPPED.catalog.named(name)
    assert len(SHIPPED.settings.aliases[name].note) > 20


def test_default_and_fallback_model_come_from_the_environment(load):
    """B03, B04."""
    config = load(TEXT, OPENROUTER_DEFAULT_MODEL="claude-sonnet-5.5", OPENROUTER_FALLBACK_MODEL="gpt-4")
    assert config.catalog.named("default") == config.catalog.named("claude-sonnet-5.5")
    assert config.catalog.named("fallback") == config.catalog.named("gpt-6.1-sol")
    with pytest.raises(ConfigError, match=r"unknown model '\$\{OPENROUTER_DEFAULT_MODEL") as caught:
        load(TEXT, OPENROUTER_DEFAULT_MODEL="gpt-6-lunar")
    assert "Did you mean 'gpt-6-luna'" in str(caught.value)
    assert "lunar" not in str(caught.value)


def test_the_file_that_a_package_carries_is_the_one_at_the_top_of_a_checkout():
    assert embedded_path() == Path(config_module.__file__).parents[2] / "config.yaml"


# ---- mistakes


@pytest.mark.parametrize(
    ("old", "new", "needle", "says"),
    [
        ("    timeout_s: 30\n", "    timeout: 30\n", "timeout: 30", "unknown key 'providers.openrouter.timeout'. Did you mean 'timeout_s'?"),
        ("circuit_breaker:", "circuit_braker:", "circuit_braker:", "unknown key 'circuit_braker'. Did you mean 'circuit_breaker'?"),
        ("  failures: 3\n", "  zzz: 3\n", "zzz: 3", "unknown key 'circuit_breaker.zzz'; known: alone_open_s, failure_share, failures, max_open_s, open_s, window_s"),
        ("fallbacks:\n      - {deployment: openrouter/claude-sonnet-5.5, reason", "fallbacks:\n      - {deployment: openrouter/claude-sonnet-5.5, raeson", "raeson", "unknown key 'use_cases.customer_service.fallbacks.0.raeson'. Did you mean 'reason'?"),
        ("    kind: google\n", "    kind: gogle\n", "kind: gogle", "providers.google.kind: input should be 'openrouter', 'google', 'openai', 'local' or 'litellm'"),
        ("    timeout_s: 30\n", '    timeout_s: "30s"\n', 'timeout_s: "30s"', "providers.openrouter.timeout_s: input should be a valid number"),
        ("    timeout_s: 30\n", "    timeout_s: -1\n", "timeout_s: -1", "providers.openrouter.timeout_s: input should be greater than or equal to 0"),
        ("    timeout_s: 30\n", "    timeout_s: 'inf'\n", "timeout_s: 'inf'", "providers.openrouter.timeout_s: input should be a finite number"),
        ("request: 0.50, day", 'request: "$0.5", day', 'request: "$0.5"', "budgets.limits.0.request: write dollars as a plain number such as 0.50, without the sign"),
        ("request: 0.50, day", "request: -1, day", "request: -1", "an amount of dollars must be finite and not negative"),
        ("request: 0.50, day", "request: yes, day", "request: yes", "budgets.limits.0.request: true and false (yes, no, on, off) are no value here; write a number"),
        ("request: 0.50, day", "request: 1e300, day", "request: 1e300", "an amount of dollars must be at most 1,000,000,000"),
        ("commitments: []", "commitments: [{provider: opnai, usd_per_month: 9, since: 2026-01-01, until: 2026-12-31}]", "provider: opnai", "unknown provider 'opnai'. Did you mean 'openai'?"),
        ("request: 0.50, day", "request: 0, day", "request: 0,", "a limit of 0 would refuse everything that costs"),
        ("request: 0.50, day", "request: 0.50, dya", None, "unknown key 'budgets.limits.0.dya'. Did you mean 'day'?"),
        (", request: 0.50, day: 100, month: 2500", "", "{scope: all", "scope 'all' has no limit: give it a request, hour, day, week or month"),
        (", request: 0.50, day: 100, month: 2500", ", request: 0.50, rollover: true", "{scope: all", "scope 'all' has nothing to roll over: give it an hour, day, week or month"),
        ("request: 0.50, day", "rollover: {most: 1}, day", "most: 1", "unknown key 'budgets.limits.0.rollover.most'; known: enabled, max"),
        ("request: 0.50, day", "rollover: 5, day", "rollover: 5", "budgets.limits.0.rollover: "),
        ("request: 0.50, day", "hour: 0, day", "hour: 0", "budgets.limits.0.hour: a limit of 0 would refuse everything that costs"),
        ("use_case:cost_sensitive", "model:gpt-6-lunna", "scope: \"model:gpt-6-lunna\"", "unknown model 'gpt-6-lunna'. Did you mean 'gpt-6-luna'?"),
        ("    on_limit: cheaper ", "    on_limit: dearer ", "on_limit: dearer", "use_cases.customer_service.on_limit.choose: input should be 'cheaper', 'clamp' or 'refuse'"),
        ("    on_limit: cheaper ", "    on_limit: {wait: 3} ", "wait: 3", "unknown key 'use_cases.customer_service.on_limit.wait'. Did you mean 'wait_s'?"),
        ("use_case:cost_sensitive", "use_case:cost_sensitiv", "scope: \"use_case:cost_sensitiv\"", "unknown use case 'cost_sensitiv'. Did you mean 'cost_sensitive'?"),
        ("use_case:cost_sensitive", "provider:gogle", "scope: \"provider:gogle\"", "unknown provider 'gogle'. Did you mean 'google'?"),
        ("currency: USD", "currency: VND", "currency: VND", "convert them and write 'currency: USD', not 'VND'"),
        ("currency: USD  ", "# ", None, "'currency' is missing: the currency of every price and every limit in this file: USD"),
        ("      input: 2\n", "      input: 2 EUR\n", "input: 2 EUR", "not an amount of dollars; write plain digits such as 100 or 0.50"),
        ("scope: all, request", "scope: al, request", "scope: al,", "'al' is no scope; write all, or one of tenant"),
        ("{scope: \"use_case:cost_sensitive\"", "{scope: all", "limits:", "scope 'all' is limited twice"),
        ("Asia/Ho_Chi_Minh}", "Asia/Hanoi}", "time_zone:", "unknown time zone 'Asia/Hanoi'; use a name such as Asia/Ho_Chi_Minh"),
        ("{quality: 0.4, cost", "{quality: 0.5, cost", "weights: {quality: 0.5", "routing.weights: the four weights must add up to 1, these add up to 1.1"),
        ("  min_availability: 0.95", "  min_availability: 95", "min_availability: 95", "input should be less than or equal to 1"),
        ("primary: {deployment: openrouter/gpt-6.1-sol", "primary: {deployment: openrouter/gpt-6.1-soll", "deployment: openrouter/gpt-6.1-soll", "unknown deployment 'openrouter/gpt-6.1-soll'. Did you mean 'openrouter/gpt-6.1-sol'? (the primary of use case 'customer_service')"),
        ("- {deployment: openrouter/claude-sonnet-5.5", "- {deployment: openrouter/claude-sonet-5.5", "deployment: openrouter/claude-sonet-5.5", "Did you mean 'openrouter/claude-sonnet-5.5'? (use case 'customer_service' falls back to it)"),
        ("- {deployment: openrouter/claude-sonnet-5.5", "- {deployment: openrouter/gpt-6.1-sol", None, "a cycle: use case 'customer_service' comes back to 'openrouter/gpt-6.1-sol'"),
        ("gpt-4: {model: gpt-6.1-sol", "gpt-4: {model: gpt-6.1-soll", "model: gpt-6.1-soll", "unknown model 'gpt-6.1-soll'. Did you mean 'gpt-6.1-sol'?"),
        ("gpt-4: {model: gpt-6.1-sol", "gpt-4: {model: gpt-4", "model: gpt-4,", "a cycle of aliases: gpt-4 -> gpt-4"),
        ("  gpt-4: {model: gpt-6.1-sol", "  gpt-6-luna: {model: gpt-6.1-sol", "gpt-6-luna: {model", "'gpt-6-luna' is a model already; an alias needs another name"),
        ("    provider: local\n", "    provider: lokal\n", "provider: lokal", "unknown provider 'lokal'. Did you mean 'local'?"),
        ("    model: smollm2-135m-instruct\n", "    model: smollm\n", "model: smollm\n", "unknown model 'smollm'"),
        ("default_use_case: customer_service", "default_use_case: sales", "default_use_case", "unknown use case 'sales'; known: content_generation, cost_sensitive, customer_service"),
        ("    profile: interactive\n", "    profile: interactiv\n", "profile: interactiv\n", "unknown retry profile 'interactiv'. Did you mean 'interactive'?"),
        ("      customer_service: 0.92\n", "      customer_servise: 0.92\n", "customer_servise", "unknown use case 'customer_servise'. Did you mean 'customer_service'?"),
        ("      customer_service: 0.92\n", "      customer_service: 92\n", "customer_service: 92", "models.gpt-6.1-sol.quality.customer_service: input should be less than or equal to 1"),
        ("    retry_on: [server_error,", "    retry_on: [server_eror,", None, "input should be 'rate_limited', 'server_error'"),
        ("    deadline_s: 30                # all attempts, waits and streams together; a use case or a request may say otherwise\n", "", None, "'retry_profiles.interactive.deadline_s' is missing"),
        ("version: 1\n", "version: 2\n", "version: 2", "version: input should be 1"),
        ("      date: 2026-11-23\n", "      date: yesterday\n", "date: yesterday", "deployments.local/smollm2-135m-instruct.price.date: input should be a valid date"),
        ("    context_tokens: 4096 ", "    context_tokens: 4k ", "context_tokens: 4k", "input should be a valid integer"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_what_was_likely_meant(mistakes, old, new, needle, says):
    lines = mistakes(old, new)
    line = next((line for line in lines if says in line), None)
    assert line is not None, lines
    if needle is not None:
        assert line.startswith(f"config.yaml:{place_of(needle, TEXT.replace(old, new, 1))}: ")
    assert re.match(r"config\.yaml:\d+:\d+: ", line)


def test_all_mistakes_are_told_at_once(load):
    text = (
        TEXT.replace("kind: google", "kind: gogle")
        .replace("priority: 3", "priority: 0")
        .replace("ttl_s: 3600", "ttl: 3600")
    )
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert len(str(caught.value).splitlines()) == 3


def test_names_that_lead_nowhere_are_told_beside_wrong_values(load):
    """A wrong address or amount does not hide the rest."""
    text = (
        TEXT.replace("https://generativelanguage.googleapis.com/v1beta", "htp:/nowhere")
        .replace("{scope: all, request: 0.50", "{scope: all, request: -1")
        .replace("default_use_case: customer_service", "default_use_case: sales")
        .replace(
            "primary: {deployment: openrouter/gpt-6.1-sol", "primary: {deployment: openrouter/gpt-6.1-soll", 1
        )
    )
    with pytest.raises(ConfigError) as caught:
        load(text)
    lines = str(caught.value).splitlines()
    told = (
        "is no address",
        "not negative",
        "unknown deployment 'openrouter/gpt-6.1-soll'",
        "use case 'sales'",
    )
    assert [sum(words in line for line in lines) for words in told] == [1] * 4
    assert len(lines) == 4


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  gpt-6.1-sol:\n", "  gpt-6.1-sol: 5\n  other:\n"),
        ("    provider: local\n", "    provider: 5\n"),
        ("    kind: google\n", "    kind: litellm\n"),
    ],
)
def test_a_part_that_cannot_be_read_is_not_missed_elsewhere(mistakes, old, new):
    """Of its name nobody says that it is unknown, for it stands there."""
    assert not [line for line in mistakes(old, new) if "unknown" in line]


@pytest.mark.parametrize("path", ["", ".", "..", "/", "/var/lib/", "~/x/..", "~", "~crm"])
def test_a_path_of_a_file_that_is_that_of_a_folder_is_refused_where_it_stands(mistakes, path):
    (line,) = mistakes(
        'path: "${ORCHESTRATOR_HOME:-~/.nextflow-orchestrator}/ledger.sqlite3"', f'path: "{path}"'
    )
    assert re.match(r"config\.yaml:\d+:\d+: ledger\.path: is the path of a folder, or of nothing", line)


@pytest.mark.parametrize("key", ["a\\nb", "a\\e[2Jb", "a" * 1000])
def test_a_key_of_any_letters_is_told_in_one_line_that_people_read(mistakes, key):
    (line,) = mistakes("providers:\n", f'providers:\n  "{key}": {{kind: openai, priority: 9}}\n')
    assert "[key]: string should" in line
    assert line.isprintable()
    assert len(line) < 250


def test_a_longer_cycle_of_aliases_is_shown_whole(load):
    with pytest.raises(ConfigError, match="a cycle of aliases: a -> b -> c -> a"):
        load(TEXT.replace("aliases:\n", "aliases:\n  a: {model: b}\n  b: {model: c}\n  c: {model: a}\n", 1))


def test_a_place_without_any_price_is_told_with_what_to_write(load):
    text = TEXT.replace(
        "deployments:\n",
        "deployments:\n  openai/own: {provider: openai, model: gpt-6-luna, upstream: own-model}\n",
        1,
    )
    with pytest.raises(
        ConfigError, match=r"'openai/own' has no price.*nor LiteLLM's map knows 'own-model'; add 'price: "
    ):
        load(text)


@pytest.mark.parametrize("name", ["openai/gpt-6-luna:online", "@preset/search"])
def test_what_is_billed_beside_tokens_is_refused_where_it_stands(mistakes, name):
    """A price of its own does not help: it states no price of a search."""
    line = "    upstream: openai/gpt-6-luna\n"
    (mistake,) = mistakes(line, f'    upstream: "{name}"\n')
    assert mistake.startswith(f"config.yaml:{place_of(line.strip())}: ")
    assert name in mistake
    assert "name " in mistake


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "config.yaml: the file is empty; 'orchestrator config show' prints a whole one"),
        (b"# only a comment\n", "the file is empty"),
        (b"- a\n- b\n", "config.yaml:1:1: expected keys such as 'providers:'"),
        (b"just words", "expected keys such as 'providers:'"),
        (b"version: 1\nname: caf\xe9\n", "config.yaml:2: byte 20 is not UTF-8; save the file as UTF-8"),
        (b"a: [1, 2\n", "not valid YAML: "),
        (b"a: [1, 2", "not valid YAML: "),
        (b"version: 1\nproviders:\n\topenrouter: 1\n", "config.yaml:3:1: not valid YAML: a tab stands here, YAML is indented with spaces"),
        (b"a: 1\n---\nb: 2\n", "not valid YAML: "),
        (b"a: 1\x00\n", "not valid YAML: "),
        (b"a: 1\nb: 2\na: 3\n", "config.yaml:3:1: 'a' stands here again; it is first on line 1"),
        (b"a: {b: 1, b: 2}\n", "config.yaml:1:11: 'b' stands here again"),
        (b"a: !!python/object/apply:os.system [ls]\n", "config.yaml:1:"),
        (b"a: &x\n  b: *x\n", "config.yaml:1:4: this part is used inside itself"),
        (b"a: ${NOT_SET}\n", "config.yaml:1:4: the environment variable NOT_SET is not set; set it, or write ${NOT_SET:-a default}"),
        (b"a: ${EMPTY}\n", "the environment variable EMPTY is not set"),
        (b"a: 2026-13-45\n", "config.yaml:1:4: cannot be read: month must be in 1..12"),
    ],
)  # fmt: skip
def test_what_is_no_configuration_at_all_is_told_in_one_line(load, text, says):
    with pytest.raises(ConfigError) as caught:
        load(text, EMPTY="")
    assert says in str(caught.value)


@pytest.mark.parametrize("section", ["use_cases", "retry_profiles", "models", "providers", "deployments"])
@pytest.mark.parametrize("name", ["a/../../x", "a/..", "a/./b", "a//b", "a/"])
def test_no_name_leads_out_of_a_folder(make_config, shipped_data, section, name):
    """A measured policy stands in `policies/USE_CASE.json`: `calibrate` would write it anywhere."""
    one = next(iter(shipped_data[section].values()))
    with pytest.raises(ConfigError, match=r"config.yaml:\d+:\d+.*no part is empty, '.' or '..'"):
        make_config({section: {name: one}})


def test_names_may_have_parts_and_dots(make_config, shipped_data):
    support = shipped_data["use_cases"]["customer_service"]
    assert (
        "crm/support..v1.2" in make_config({"use_cases": {"crm/support..v1.2": support}}).settings.use_cases
    )


def test_a_missing_file_is_told_with_how_to_name_another(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: No such file.*--config or ORCHESTRATOR_CONFIG"):
        load_config(tmp_path / "nothing.yaml", today=TODAY, environment={})


def test_a_folder_in_its_place_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_config(tmp_path, today=TODAY, environment={})


def test_a_file_saved_with_a_byte_order_mark_is_read(load):
    """As Windows' Notepad saves it."""
    assert load(b"\xef\xbb\xbf" + TEXT.encode()).settings == SHIPPED.settings


# ---- variables


def test_a_variable_fills_a_text_a_number_and_a_part(load):
    text = TEXT.replace("    timeout_s: 30\n", "    timeout_s: ${WAIT:-30}\n", 1).replace(
        "${OPENROUTER_REFERER:-https://nextflow-crm.example}", "https://${HOST:-a.example}/crm", 1
    )
    default, filled = load(text), load(text, WAIT="7.5", HOST="b.example")
    openrouter = [config.settings.providers["openrouter"] for config in (default, filled)]
    assert [provider.timeout_s for provider in openrouter] == [30, 7.5]
    assert [provider.headers["HTTP-Referer"].get_secret_value() for provider in openrouter] == [
        "https://a.example/crm",
        "https://b.example/crm",
    ]


def test_an_empty_variable_takes_the_default(load):
    config = load(TEXT, OPENROUTER_BASE_URL="")
    assert config.settings.providers["openrouter"].base_url == "https://openrouter.ai/api/v1"


@pytest.mark.parametrize(
    "written", ["0100", "1_000", "0x64", "0b11", "1:30", "1:30.5", "190:20:30", ".inf", "-.inf", ".nan", "007", "0_1"]
)  # fmt: skip
@pytest.mark.parametrize("line", ["day: {}", "- {}", "a: {{b: {}}}"])
def test_a_number_that_yaml_reads_otherwise_than_people_is_refused_where_it_stands(line, written):
    text = f"# a line\n{line.format(written)}\n"
    with pytest.raises(
        ConfigError, match=r"^c.yaml:2:\d+: .* is no plain number .*: write digits such as 100"
    ):
        parse_document(text.encode(), name="c.yaml", environment={})


def test_a_limit_with_a_leading_zero_is_refused_by_its_line(load):
    line = TEXT[: TEXT.index("day: 100,")].count("\n") + 1
    with pytest.raises(ConfigError, match=rf"config.yaml:{line}:\d+: '0100' is no plain number"):
        load(TEXT.replace("day: 100,", "day: 0100,", 1))


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("value", ["0x64", "1:30", "inf", "nan", "1_0_", "yes"])
def test_a_variable_that_is_no_number_is_refused_and_not_echoed(load, value, quote):
    with pytest.raises(ConfigError, match="timeout_s|no plain number") as caught:
        load(TEXT.replace("    timeout_s: 30\n", f"    timeout_s: {quote}${{WAIT}}{quote}\n", 1), WAIT=value)
    assert value not in str(caught.value).partition(": ")[2]


def test_no_number_of_the_configuration_may_be_infinite(load):
    assert "    speed_tokens_per_s: 70 " in TEXT
    with pytest.raises(ConfigError, match="finite number"):
        load(TEXT.replace("    speed_tokens_per_s: 70 ", "    speed_tokens_per_s: 'inf' ", 1))


def test_what_is_done_at_a_limit_is_one_word_or_several_keys(load):
    for written, expected in (
        ("on_limit: clamp ", ("clamp", 5.0)), ("on_limit: {choose: refuse, wait_s: 0} ", ("refuse", 0.0)),
    ):  # fmt: skip
        on_limit = (
            load(TEXT.replace("on_limit: cheaper ", written, 1))
            .settings.use_cases["customer_service"]
            .on_limit
        )
        assert (on_limit.choose, on_limit.wait_s) == expected


def test_what_rolls_over_is_all_of_a_limit_or_at_most_an_amount(load):
    for written, expected in (
        ("true", (True, None)),
        ("{max: 3}", (True, 3 * 10**9)),
        ("false", (False, None)),
    ):
        text = TEXT.replace("request: 0.50, day", f"rollover: {written}, hour: 1, week: 9, day", 1)
        limit = load(text).settings.budgets.limits[0]
        assert (limit.rollover.enabled, limit.rollover.max) == expected
        assert (limit.hour, limit.week) == (10**9, 9 * 10**9)


@pytest.mark.parametrize(
    "written",
    [
        '"0100"', '"1_000"', '"１００"', '"٣"', '"Infinity"', '"nan"', '"1:30"', '"$5"', '"5 USD"', '"0,5"', '"1 000"',
        '"1.000"', '"1.000.000"', '"1,000"', '"1.000,50"', "'1''000'", '"12.500"', "12.345", '"1.125"', '"9.' + "1" * 99 + '"',
        "yes", "on", "True", "[5]", "{five: 5}", '"-1"', "-1", "1e99", '"0x10"', '"1e"', '"."', '""',
    ],
)  # fmt: skip
def test_money_that_is_no_plain_number_is_refused(load, written):
    with pytest.raises(ConfigError, match=r"config.yaml:\d+:\d+: budgets.limits.0.day: "):
        load(TEXT.replace("day: 100,", f"day: {written},", 1))


@pytest.mark.parametrize(
    ("written", "nano_usd"),
    [
        ("100", 10**11), ('"100"', 10**11), ("100.50", 100_500_000_000), ("1e2", 10**11), ("1.5e+1", 15 * 10**9),
        (".5", 5 * 10**8), ("5.", 5 * 10**9), ("0.000000001", 1), ("1e-9", 1), ("+7", 7 * 10**9), ('" 7 "', 7 * 10**9),
    ],
)  # fmt: skip
def test_money_is_read_as_it_is_written(load, written, nano_usd):
    config = load(TEXT.replace("day: 100,", f"day: {written},", 1))
    assert config.settings.budgets.limits[0].day == nano_usd


@pytest.mark.parametrize("written", ["1.000", "2.500", "100.000"])
def test_a_number_that_is_a_thousand_in_vietnam_is_refused_and_how_it_is_written_is_told(load, written):
    """A limit of a thousand dollars was one of a dollar, and one of 1.125 is neither's."""
    with pytest.raises(ConfigError, match=r"is no plain number .* 1.000 .* write digits such as 100 or 0.5"):
        load(TEXT.replace("day: 100,", f"day: {written},", 1))


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ('"1.000"', "a thousand is written 1000"),
        ('"1,000"', "a thousand is written 1000"),
        ("12.345", "write 1250 or 1.25"),
    ],
)
def test_who_writes_thousands_is_told_how(load, written, hint):
    with pytest.raises(ConfigError, match=hint):
        load(TEXT.replace("day: 100,", f"day: {written},", 1))


@pytest.mark.parametrize(
    ("old", "key"),
    [
        ("    timeout_s: 30\n", "timeout_s"),
        ("    priority: 1\n", "priority"),
        ("      customer_service: 0.92\n", "customer_service"),
        ("  failures: 3\n", "failures"),
    ],
)
def test_a_boolean_is_no_number(load, old, key):
    assert old in TEXT
    with pytest.raises(ConfigError, match="true and false .* are no value here; write a number"):
        load(TEXT.replace(old, f"{old.partition(key)[0]}{key}: yes\n", 1))


def test_a_limit_above_that_of_a_longer_window_is_a_notice(load):
    config = load(TEXT.replace("day: 100,", "day: 9999,", 1))
    (notice,) = [notice for notice in config.notices if "limit" in notice]
    assert notice == (
        "the limit of all per day, $9,999.00, is above that per month, $2,500.00, which ends it first: "
        "is a digit too many in budgets.limits?"
    )
    assert not [notice for notice in load(TEXT).notices if "limit" in notice]


def test_a_wildcards_limit_counts_where_a_scopes_own_windows_are_compared(load):
    own = "limits:\n    - {scope: 'tenant:acme', day: 80}\n    - {scope: 'tenant:*', request: 1, day: 5, month: 70}\n"
    notices = [notice for notice in load(TEXT.replace("limits:\n", own, 1)).notices if "limit" in notice]
    assert [notice.partition(", which")[0] for notice in notices] == [
        "the limit of tenant:acme per day, $80.00, is above that per month, $70.00"
    ]


def test_a_variable_of_the_wrong_kind_is_told_by_the_key_it_fills(load):
    text = TEXT.replace("    timeout_s: 30\n", "    timeout_s: ${WAIT}\n", 1)
    with pytest.raises(ConfigError, match="providers.openrouter.timeout_s: input should be a valid number"):
        load(text, WAIT="thirty")


# ---- secrets


def test_no_secret_is_in_any_representation(load):
    text = TEXT.replace(
        'X-Title: "${OPENROUTER_TITLE:-NextFlow CRM}"', 'X-Title: "t", Authorization: "${GATEWAY_TOKEN}"', 1
    )
    config = load(text, GATEWAY_TOKEN="tok-very-secret")
    shown = (
        repr(config)
        + str(config)
        + repr(config.catalog)
        + repr(config.settings)
        + str(config.settings.providers)
    )
    shown += str(config.settings.model_dump()) + config.settings.model_dump_json()
    for secret in (*KEYS.values(), "tok-very-secret"):
        assert secret not in shown
    assert (
        config.settings.providers["openrouter"].headers["Authorization"].get_secret_value()
        == "tok-very-secret"
    )


@pytest.mark.parametrize("text", ["no: [file", TEXT.replace("version: 1", "version: 2"), TEXT + "more: 1\n"])
def test_no_frame_of_a_refused_file_holds_a_secret(tmp_path, monkeypatch, text):
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        Orchestrator.from_config(path)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    frames = [frame.f_locals for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    shown = repr(frames[1:])
    assert len(frames) > 1
    assert not [key for key in KEYS.values() if key in shown]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('api_key: "${OPENROUTER_API_KEY:-}"', 'api_key: ["${OPENROUTER_API_KEY:-}"]'),
        ('api_key: "${OPENROUTER_API_KEY:-}"', 'apikey: "${OPENROUTER_API_KEY:-}"'),
        ('api_key: "${OPENROUTER_API_KEY:-}"', 'api_key: "${OPENROUTER_API_KEY:-}"\n    timeout_s: "${OPENROUTER_API_KEY}"'),
        ("    priority: 1\n", "    priority: ${OPENROUTER_API_KEY}\n"),
        ("    kind: openrouter\n", "    kind: ${OPENROUTER_API_KEY}\n"),
        ("      date: 2026-11-23\n", "      date: ${OPENROUTER_API_KEY}\n"),
    ],
)  # fmt: skip
def test_no_secret_is_in_a_message_about_a_mistake(load, old, new):
    assert old in TEXT
    with pytest.raises(ConfigError) as caught:
        load(TEXT.replace(old, new, 1))
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value.__cause__)


def test_not_even_the_raw_error_of_a_settings_type_shows_what_was_given():
    with pytest.raises(ValidationError) as caught:
        ProviderSettings.model_validate({"kind": SECRET, "priority": SECRET, "api_key": [SECRET]})
    assert SECRET not in str(caught.value)


# ---- providers that are off


def test_a_provider_without_a_key_is_off_and_said_so_in_one_line(load):
    config = load(TEXT, GEMINI_API_KEY="", OPENAI_API_KEY="  ")
    assert config.notices == (
        "provider google is off: it has no key; set GEMINI_API_KEY",
        "provider openai is off: it has no key; set OPENAI_API_KEY",
    )
    assert {name.partition("/")[0] for name in config.catalog.off} == {"google", "openai"}
    assert "openrouter/gpt-6-luna" in config.catalog.deployments


def test_a_provider_may_be_switched_off(load):
    config = load(TEXT.replace("    kind: google\n", "    kind: google\n    enabled: false\n", 1))
    assert config.notices == ("provider google is off: 'enabled: false' in config.yaml",)


def test_a_model_past_its_end_is_a_notice(load):
    config = load(TEXT.replace("ends: 2027-05-07", "ends: 2026-11-22", 1))
    assert config.notices == (
        "model gemini-3.1-flash-lite was switched off by its vendor on 2026-11-22; replace it in config.yaml",
    )


# ---- which file


def test_the_file_is_that_of_the_environment_then_the_one_here_then_the_embedded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ORCHESTRATOR_CONFIG", raising=False)
    assert default_path() == embedded_path()
    (tmp_path / "config.yaml").write_text("")
    assert default_path() == Path("config.yaml")
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(tmp_path / "other.yaml"))
    assert default_path() == tmp_path / "other.yaml"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="gives a file to another user")
def test_a_file_that_another_user_has_put_into_the_working_folder_is_not_read(tmp_path, monkeypatch):
    """It would say where keys and prompts are sent."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ORCHESTRATOR_CONFIG", raising=False)
    (tmp_path / "config.yaml").write_text(TEXT)
    os.chown("config.yaml", NOBODY, NOBODY)
    assert default_path() == Path("config.yaml")
    tmp_path.chmod(0o1777)
    with pytest.raises(ConfigError, match="config.yaml is not read: another user .* --config"):
        load_config(today=TODAY, environment=KEYS)
    assert load_config("config.yaml", today=TODAY, environment=KEYS).path == Path("config.yaml")


def test_equal_files_in_equal_environments_have_equal_fingerprints(load):
    assert load(TEXT).fingerprint == load("# a comment\n" + TEXT).fingerprint
    assert load(TEXT).fingerprint != load(TEXT, GEMINI_API_KEY="another").fingerprint
    assert load(TEXT).fingerprint != load(TEXT.replace("failures: 3", "failures: 4")).fingerprint


# ---- the schema for editors


def refusals(text: str) -> list[str]:
    """Return what an editor would underline."""
    data = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 -- texts only, no dates: JSON has none
    validator = jsonschema.Draft202012Validator(json_schema())
    return ["/".join(map(str, error.absolute_path)) for error in validator.iter_errors(_as_json(data))]


def _as_json(value):
    if isinstance(value, dict):
        return {key: _as_json(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_as_json(part) for part in value]
    read = yaml.safe_load(value) if isinstance(value, str) and value else value
    return read if isinstance(read, int | float | bool | None) else value


def test_the_schema_is_one_and_accepts_the_shipped_file():
    jsonschema.Draft202012Validator.check_schema(json_schema())
    assert refusals(TEXT) == []


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("    timeout_s: 30\n", "    timeout: 30\n", "providers/openrouter"),
        ("    kind: google\n", "    kind: gogle\n", "providers/google/kind"),
        ("    priority: 1\n", "    priority: first\n", "providers/openrouter/priority"),
        ("default_use_case: customer_service\n", "", ""),
    ],
)
def test_the_schema_refuses_a_mistake_where_it_stands(old, new, where):
    assert refusals(TEXT.replace(old, new, 1)) == [where]


def test_the_schema_takes_a_variable_where_a_number_or_a_word_may_stand():
    text = TEXT.replace("    timeout_s: 30\n", "    timeout_s: ${WAIT:-30}\n", 1).replace(
        "    requests_per_min: 60\n", '    requests_per_min: "${RPM:-60}"\n', 1
    )
    assert refusals(text) == []


def test_the_schema_names_every_key_of_the_file():
    assert set(json_schema()["properties"]) == set(RootSettings.model_fields)
