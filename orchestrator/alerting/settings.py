"""`alerts` in config.yaml: rules say what is worth an alert, channels carry it to people."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, PositiveInt, model_validator

from orchestrator.core.alerts import AlertKind
from orchestrator.core.http_text import fault_of_full_address, fault_of_header, fault_of_key
from orchestrator.core.language import Language
from orchestrator.core.payer import SCOPE_KINDS
from orchestrator.core.secret_values import SecretAddress, SecretText
from orchestrator.core.settings import (
    HeaderName,
    Name,
    Seconds,
    Settings,
    UnquotedError,
    Usd,
)

TELEGRAM_URL = "https://api.telegram.org"
_COUNTED_KINDS = frozenset({"all", "tenant", "use_case"})
_OF_TRAFFIC = frozenset({"scope", "window_s", "min_requests", "calm_s", "repeat_s"})
_OF_SUBJECT = frozenset({"calm_s", "repeat_s"})

USED: Mapping[AlertKind, frozenset[str]] = {
    AlertKind.EXCESS: frozenset(),
    AlertKind.BOOKED_LATE: frozenset(),
    AlertKind.LEDGER_UNAVAILABLE: frozenset(),
    AlertKind.BUDGET: frozenset({"scope", "at_percent", "calm_s"}),
    AlertKind.PROJECTED_OVERRUN: frozenset({"scope", "calm_s"}),
    AlertKind.PROVIDER_DOWN: _OF_SUBJECT,
    AlertKind.CIRCUIT_OPEN: _OF_SUBJECT,
    AlertKind.FALLBACK_RATE: _OF_TRAFFIC | {"above_percent"},
    AlertKind.ERROR_RATE: _OF_TRAFFIC | {"above_percent"},
    AlertKind.LATENCY: _OF_TRAFFIC | {"above_s"},
    AlertKind.UNUSUAL_SPEND: frozenset({"scope", "factor", "min_usd", "calm_s"}),
    AlertKind.PRICE_CHANGE: frozenset(),
    AlertKind.MODEL_ENDED: _OF_SUBJECT,
    AlertKind.LEDGER_DIFFERENCE: frozenset({"every_s", "repeat_s"}),
    AlertKind.EXPERIMENT_WORSE: frozenset(),
    AlertKind.EMERGENCY_MODEL: frozenset({"scope", "window_s", "calm_s", "repeat_s"}),
}
"""Which keys mean something for a kind of rule; any other is a mistake."""
OF_TRAFFIC = frozenset(kind for kind, keys in USED.items() if "window_s" in keys)


class ChannelKind(StrEnum):
    """How an alert reaches people."""

    WEBHOOK = "webhook"
    SLACK = "slack"
    TEAMS = "teams"
    TELEGRAM = "telegram"
    EMAIL = "email"
    COMMAND = "command"


class SmtpSecurity(StrEnum):
    """How a mail server is spoken to."""

    TLS = "tls"
    """Encrypted from the first byte, usually port 465."""
    STARTTLS = "starttls"
    """Encrypted before anything is said, usually port 587."""
    NONE = "none"
    """In the open: a server on this machine or a test."""


_NEEDED: Mapping[ChannelKind, frozenset[str]] = {
    ChannelKind.WEBHOOK: frozenset({"url"}),
    ChannelKind.SLACK: frozenset({"url"}),
    ChannelKind.TEAMS: frozenset({"url"}),
    ChannelKind.TELEGRAM: frozenset({"token", "chat_id"}),
    ChannelKind.EMAIL: frozenset({"host", "sender", "to"}),
    ChannelKind.COMMAND: frozenset({"argv"}),
}
_ALSO: Mapping[ChannelKind, frozenset[str]] = {
    ChannelKind.WEBHOOK: frozenset({"headers"}),
    ChannelKind.TELEGRAM: frozenset({"url"}),
    ChannelKind.EMAIL: frozenset({"port", "security", "user", "password"}),
}
_OF_EVERY = frozenset({"kind", "language", "timeout_s"})


def _changed(settings: Settings) -> set[str]:
    """Return the keys that are not as they are by default."""
    fields = type(settings).model_fields
    return {name for name in settings.model_fields_set if getattr(settings, name) != fields[name].default}


def _full_address(address: SecretAddress) -> SecretAddress:
    fault = fault_of_full_address(address.get_secret_value())
    if fault is not None:
        raise UnquotedError(fault)
    return address


def _header_text(value: SecretText) -> SecretText:
    fault = fault_of_header(value.get_secret_value())
    if fault is not None:
        raise UnquotedError(fault)
    return value


def _token_text(value: SecretText) -> SecretText:
    text = value.get_secret_value()
    fault = fault_of_key(text) or ("holds a slash, a ? or a #" if {"/", "?", "#"} & set(text) else None)
    if fault is not None:
        raise UnquotedError(fault)
    return value


def _mail_address(address: str) -> str:
    name, at, domain = address.rpartition("@")
    if not (at and name and domain) or not address.isprintable() or set(address) & set(' <>,;:"'):
        raise UnquotedError("is no mail address such as ops@example.com")
    return address


def _login_text(text: str) -> str:
    if not (text.isascii() and text.isprintable()):
        raise UnquotedError(
            "holds a line break or a letter that is not ASCII, which no login by SMTP carries"
        )
    return text


def _password_text(password: SecretText) -> SecretText:
    _login_text(password.get_secret_value())
    return password


FullAddress = Annotated[SecretAddress, AfterValidator(_full_address)]
"""A whole address, its query included; whoever knows it may post, so it is a secret."""
MailAddress = Annotated[str, AfterValidator(_mail_address)]


class ChannelSettings(Settings):
    """One way to people; which keys it has depends on its kind."""

    kind: ChannelKind
    """webhook (JSON), slack, teams, telegram, email or command."""
    language: Language = Language.EN
    """Of the words: en or vi."""
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 10.0
    """The longest one try may take."""
    url: FullAddress | None = None
    """Where to post, best as `${file:/run/secrets/slack_url}`; for telegram only for a server of your own."""
    headers: Mapping[HeaderName, Annotated[SecretText, AfterValidator(_header_text)]] = Field({}, repr=False)
    """Of a webhook: headers sent with it, such as an Authorization."""
    token: Annotated[SecretText, AfterValidator(_token_text)] | None = None
    """Of telegram: the bot's token."""
    chat_id: str | None = None
    """Of telegram: the chat, such as "-1001234567890"."""
    host: Annotated[str, Field(min_length=1, pattern=r"^[A-Za-z0-9.:_-]+$")] | None = None
    """Of email: the mail server."""
    port: Annotated[int, Field(gt=0, le=65535)] | None = None
    """Of email: its port; None is 465 for tls, 587 for starttls, 25 for none."""
    security: SmtpSecurity = SmtpSecurity.STARTTLS
    """Of email: tls, starttls or none."""
    user: Annotated[str, AfterValidator(_login_text)] | None = None
    """Of email: who logs in; None logs nobody in."""
    password: Annotated[SecretText, AfterValidator(_password_text)] | None = None
    """Of email: the password of `user`."""
    sender: MailAddress | None = None
    """Of email: whom it is from."""
    to: tuple[MailAddress, ...] = ()
    """Of email: whom it is for."""
    argv: tuple[str, ...] = ()
    """Of command: the program by its whole path, and its arguments; no shell reads them, others see them
    in `ps`. The alert is JSON on its standard input."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        written = _changed(self) - _OF_EVERY
        needed, also = _NEEDED[self.kind], _ALSO.get(self.kind, frozenset())
        missing = sorted(name for name in needed if not getattr(self, name))
        if missing:
            raise UnquotedError(f"a channel of kind {self.kind} needs {', '.join(missing)}")
        strange = sorted(written - needed - also)
        if strange:
            raise UnquotedError(f"a channel of kind {self.kind} has no {', '.join(strange)}")
        if (
            self.kind is ChannelKind.COMMAND
            and not self.argv[0].startswith(("/", "\\"))
            and ":" not in self.argv[0]
        ):
            raise UnquotedError(
                "the program of a command is named by its whole path, such as /usr/bin/notify"
            )
        if any("\0" in word for word in self.argv):
            raise UnquotedError("an argument of the command holds a NUL")
        if (
            self.password
            and self.security is SmtpSecurity.NONE
            and self.host not in {"localhost", "127.0.0.1"}
        ):
            raise UnquotedError("a password needs security tls or starttls, but to this machine itself")
        return self


def _known_scope(scope: str) -> str:
    kind, _, name = scope.partition(":")
    if kind not in SCOPE_KINDS or (kind == "all") == bool(name):
        msg = f"'{scope}' is no scope; write all, or one of {', '.join(SCOPE_KINDS[1:])} with a name or *: tenant:*"
        raise ValueError(msg)
    return scope


class RuleSettings(Settings):
    """What is worth an alert; which keys count depends on its kind."""

    kind: AlertKind
    """What is looked at; the kinds stand in docs/how-to/alerts.md."""
    channels: tuple[Name, ...] = ()
    """Some of `channels`; none named is all of them."""
    scope: Annotated[str, AfterValidator(_known_scope)] = "all"
    """all, tenant:acme, use_case:..., and for money user:, provider:, tag: too; * is each name by itself."""
    at_percent: tuple[Annotated[int, Field(ge=1, le=100)], ...] = (50, 80, 100)
    """Of budget: the marks of the limit."""
    above_percent: Annotated[float, Field(ge=0, lt=100)] = 20.0
    """Of fallback_rate and error_rate: more than so many of a hundred requests."""
    above_s: Annotated[float, Field(gt=0)] = 20.0
    """Of latency: the slowest twentieth takes longer than so many seconds."""
    factor: Annotated[float, Field(gt=1)] = 2.0
    """Of unusual_spend: today is more than so many times the median of the last seven days."""
    min_usd: Usd | None = None
    """Of unusual_spend: less than so many dollars is never unusual; $1 where nothing is written."""
    window_s: Annotated[float, Field(ge=60, le=3600)] = 300.0
    """Of what is counted of requests: over so many seconds, in whole minutes."""
    min_requests: PositiveInt = 20
    """Of rates and latency: fewer requests in the window say nothing."""
    calm_s: Seconds = 60.0
    """So long must it be well before it is told to be over."""
    repeat_s: Annotated[float, Field(ge=60)] = 86_400.0
    """What goes on is told again after so many seconds; budgets and spend once in their day or month."""
    every_s: Annotated[float, Field(ge=60)] = 3600.0
    """Of ledger_difference: it reads the whole ledger, so often."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        strange = sorted(_changed(self) - USED[self.kind] - {"kind", "channels"})
        if strange:
            msg = f"a rule of kind {self.kind} has no {', '.join(strange)}"
            raise ValueError(msg)
        if self.kind in OF_TRAFFIC and self.scope.partition(":")[0] not in _COUNTED_KINDS:
            msg = f"requests are counted for all, tenant: and use_case:, not for '{self.scope}'"
            raise ValueError(msg)
        return self


class AlertsSettings(Settings):
    """What is worth an alert, and whom it reaches."""

    path: str = "~/.nextflow-orchestrator/alerts"
    """A folder beside the ledger: processes that share it tell each alert once."""
    check_every_s: Annotated[float, Field(ge=1, le=3600)] = 10.0
    """How often the rules are looked at."""
    rules: Mapping[Name, RuleSettings] = {}
    """What is worth an alert, by a name of your choice."""
    channels: Mapping[Name, ChannelSettings] = {}
    """How alerts reach people, by a name of your choice."""
    queue_max: Annotated[int, Field(ge=1, le=10_000)] = 200
    """So many alerts wait for a channel at most; of more only their number is told."""
    digest_above: PositiveInt = 5
    """When more than so many wait for a channel, they go out as one message."""
    give_up_after_s: Annotated[float, Field(gt=0)] = 3600.0
    """So long is a channel tried that does not take a message."""
    close_wait_s: Annotated[float, Field(ge=0, le=60)] = 3.0
    """How long a program that ends waits for what is on its way."""

    def channels_of(self, rule: RuleSettings) -> tuple[str, ...]:
        """Return the names of the channels that a rule speaks over."""
        return rule.channels or tuple(self.channels)
