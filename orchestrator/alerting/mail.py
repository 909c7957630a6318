"""Mail by SMTP: the standard library's client on a thread of its own, which a time-out frees."""

import asyncio
import contextlib
import smtplib
import socket
import ssl
import threading
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any

from orchestrator.alerting.messages import AlertMessage
from orchestrator.alerting.settings import ChannelSettings, SmtpSecurity
from orchestrator.alerting.undelivered import UndeliveredError
from orchestrator.providers.tls import tls_context

_PORTS = {SmtpSecurity.TLS: 465, SmtpSecurity.STARTTLS: 587, SmtpSecurity.NONE: 25}
_PERMANENT = 500
_REPLIES_BYTES_MAX = 64 * 1024
"""Of all that a mail server says in one conversation; an honest one says some hundreds."""
_WELCOME = 220
_CERTIFICATES = {
    9: "is not valid yet; look at its dates and at this machine's clock",
    10: "has expired; its owner must renew it",
    62: "is of another name; see 'host'",
    64: "is of another name; see 'host'",
}
"""What OpenSSL's checks of a certificate found, by their numbers; of any other it is not trusted."""
_BROKEN: tuple[tuple[type[Exception], str, bool], ...] = (
    (ssl.SSLError, "no TLS is spoken on this port, or another kind; see 'security' and 'port'", True),
    (socket.gaierror, "the mail server's name cannot be looked up; see 'host'", True),
    (UnicodeError, "the mail server's name cannot be looked up; see 'host'", True),
    (
        smtplib.SMTPNotSupportedError,
        "the mail server knows no STARTTLS (see 'security'), no such login, or no address outside ASCII",
        False,
    ),
)
"""What a conversation ends with, in words, and whether it may go better later; the first that fits."""


class _Replies:
    """What a server says, as if it hung up where it says more than any server has to."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._left = _REPLIES_BYTES_MAX

    def readline(self, size: int) -> bytes:
        line: bytes = self._stream.readline(min(size, self._left))
        self._left -= len(line)
        return line

    def close(self) -> None:
        self._stream.close()


class _Bounded(smtplib.SMTP):
    """A client to which an answer of lines without an end is a broken connection: it keeps them all."""

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _Replies(self.sock.makefile("rb"))
        return super().getreply()


class _BoundedTls(_Bounded, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""


class _Sending:
    """One conversation with a mail server."""

    def __init__(self, channel: ChannelSettings, mail: EmailMessage) -> None:
        self._channel = channel
        self._mail = mail
        self._client: smtplib.SMTP | None = None

    def talk(self) -> str:
        """Return the server's last word on the mail."""
        channel = self._channel
        host, port = channel.host or "", channel.port or _PORTS[channel.security]
        trust = tls_context()
        if channel.security is SmtpSecurity.TLS:
            self._client = _BoundedTls(timeout=channel.timeout_s, context=trust)
        else:
            self._client = _Bounded(timeout=channel.timeout_s)
        # Where the certificate is checked against; the constructor sets it only where it connects itself.
        self._client._host = host  # type: ignore[attr-defined]  # noqa: SLF001
        client = self._client
        try:
            code, words = client.connect(host, port)
            if code != _WELCOME:
                raise smtplib.SMTPConnectError(code, words)
            if channel.security is SmtpSecurity.STARTTLS:
                client.starttls(context=trust)
            if channel.user and channel.password is not None:
                client.login(channel.user, channel.password.get_secret_value())
            refused = client.send_message(self._mail)
        finally:
            # Without a farewell: one that is not answered must not have the mail sent twice.
            client.close()
        return f"taken, but not for {len(refused)} receivers" if refused else "taken by the mail server"

    def leave(self) -> None:
        """Hang up: the thread that talks wakes and closes what is open."""
        sock = self._client.sock if self._client is not None else None
        if isinstance(sock, socket.socket):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


async def send_mail(channel: ChannelSettings, message: AlertMessage) -> str:
    """Send a message as plain text, and return what came back.

    Raises:
        UndeliveredError: the server did not take it for every receiver.
    """
    sending = _Sending(channel, _mail_of(channel, message))
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def settle(outcome: str | UndeliveredError) -> None:
        if answer.done():
            return
        if isinstance(outcome, UndeliveredError):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)

    def work() -> None:
        outcome = _outcome_of(sending)
        # The loop may be gone: nobody waits for this any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=work, name="orchestrator-mail", daemon=True).start()
    try:
        return await answer
    finally:
        sending.leave()


def _outcome_of(sending: _Sending) -> str | UndeliveredError:
    try:
        return sending.talk()
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPResponseException) as exc:
        return _refusal(exc)
    except ssl.SSLCertVerificationError as exc:
        fault = _CERTIFICATES.get(exc.verify_code, "is not trusted")
        return UndeliveredError(f"the mail server's certificate {fault}", may_retry=False)
    except (smtplib.SMTPException, OSError, ValueError) as exc:
        return next(
            (
                UndeliveredError(words, may_retry=may_retry)
                for kind, words, may_retry in _BROKEN
                if isinstance(exc, kind)
            ),
            UndeliveredError(f"no connection, or it broke ({type(exc).__name__})"),
        )


def _refusal(exc: smtplib.SMTPRecipientsRefused | smtplib.SMTPResponseException) -> UndeliveredError:
    if isinstance(exc, smtplib.SMTPRecipientsRefused):
        codes = sorted({code for code, _ in exc.recipients.values()})
        return UndeliveredError(
            f"the mail server refuses every receiver ({', '.join(map(str, codes))})",
            may_retry=all(code < _PERMANENT for code in codes),
        )
    if exc.smtp_code < 0:
        return UndeliveredError("no SMTP is spoken on this port; see 'port'", may_retry=False)
    return UndeliveredError(f"the mail server says {exc.smtp_code}", may_retry=exc.smtp_code < _PERMANENT)


def _mail_of(channel: ChannelSettings, message: AlertMessage) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = channel.sender
    mail["To"] = ", ".join(channel.to)
    mail["Subject"] = message.title
    mail["Date"] = formatdate()
    mail["Message-ID"] = make_msgid(domain="nextflow-orchestrator.invalid")
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    return mail
