"""Mail by SMTP: the standard library's client on a thread of its own, which a time-out frees."""

import asyncio
import contextlib
import smtplib
import socket
import ssl
import threading
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from orchestrator.alerting.messages import AlertMessage
from orchestrator.alerting.settings import ChannelSettings, SmtpSecurity
from orchestrator.alerting.undelivered import UndeliveredError
from orchestrator.providers.tls import tls_context

_PORTS = {SmtpSecurity.TLS: 465, SmtpSecurity.STARTTLS: 587, SmtpSecurity.NONE: 25}
_PERMANENT = 500


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
            self._client = smtplib.SMTP_SSL(timeout=channel.timeout_s, context=trust)
        else:
            self._client = smtplib.SMTP(timeout=channel.timeout_s)
        # Where the certificate is checked against; the constructor sets it only where it connects itself.
        self._client._host = host  # type: ignore[attr-defined]  # noqa: SLF001
        client = self._client
        try:
            client.connect(host, port)
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
    except smtplib.SMTPRecipientsRefused as exc:
        codes = sorted({code for code, _ in exc.recipients.values()})
        return UndeliveredError(
            f"the mail server refuses every receiver ({', '.join(map(str, codes))})",
            may_retry=all(code < _PERMANENT for code in codes),
        )
    except smtplib.SMTPResponseException as exc:
        return UndeliveredError(
            f"the mail server says {exc.smtp_code}", may_retry=0 <= exc.smtp_code < _PERMANENT
        )
    except ssl.SSLCertVerificationError:
        return UndeliveredError("the mail server's certificate is not trusted", may_retry=False)
    except smtplib.SMTPNotSupportedError:
        return UndeliveredError(
            "the mail server knows no STARTTLS or no such login; see 'security'", may_retry=False
        )
    except (smtplib.SMTPException, OSError, ValueError) as exc:
        return UndeliveredError(f"no connection, or it broke ({type(exc).__name__})")


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
