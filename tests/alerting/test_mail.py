"""Mail reaches a real SMTP server, over TLS with a password; who hangs, refuses or lies is left in time."""

import asyncio
import contextlib
import socket
import ssl
import subprocess
import threading
from datetime import UTC, datetime, timedelta

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from orchestrator.alerting.channels import send
from orchestrator.alerting.messages import message_of
from orchestrator.alerting.settings import ChannelSettings
from orchestrator.alerting.undelivered import UndeliveredError
from orchestrator.core.language import Language
from orchestrator.providers.wire.sessions import Sessions


class Box:
    def __init__(self) -> None:
        self.mails = []
        self.answer = "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 -- aiosmtpd calls it
        self.mails.append(envelope)
        return self.answer


class FreePort(Controller):
    """Controller that looks for the port it was given by the system."""

    def _trigger_server(self):
        self.port = port_of(self)
        super()._trigger_server()


@pytest.fixture
def box():
    return Box()


@pytest.fixture
def server(box):
    controller = FreePort(box, hostname="127.0.0.1", port=0)
    controller.start()
    yield controller
    controller.stop()


@pytest.fixture
def certified(tmp_path):
    """A key and a certificate of localhost that nobody trusts."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    kind = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", *kind, *name, "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    return key, certificate


def port_of(controller) -> int:
    return controller.server.sockets[0].getsockname()[1]


def mailed(port: int, **fields) -> ChannelSettings:
    plain = {"kind": "email", "host": "127.0.0.1", "port": port, "security": "none"}
    return ChannelSettings.model_validate(
        {**plain, "sender": "bot@example.com", "to": ["ops@example.com", "cfo@example.com"], **fields}
    )


async def sent(settings, message) -> str:
    return await send(settings, message, http=Sessions())


async def test_a_mail_arrives_for_every_receiver_in_its_language(server, box, alert):
    answer = await sent(mailed(port_of(server)), message_of(alert(), Language.VI))
    assert answer == "taken by the mail server"
    (envelope,) = box.mails
    assert envelope.rcpt_tos == ["ops@example.com", "cfo@example.com"]
    import email

    mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert mail["subject"] == "[CẢNH BÁO] Nhà cung cấp ngừng hoạt động: openrouter"
    assert "openrouter: open" in mail.get_content()


async def test_a_name_cannot_write_a_header(server, box, alert):
    await sent(mailed(port_of(server)), message_of(alert("x\r\nBcc: thief@example.com"), Language.EN))
    (envelope,) = box.mails
    assert "thief@example.com" not in envelope.rcpt_tos
    assert b"\nBcc:" not in envelope.content.partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize(("answer", "may_retry"), [("451 later", True), ("554 hush-hush spam", False)])
async def test_a_refusal_is_told_by_its_number_alone(server, box, alert, answer, may_retry):
    box.answer = answer
    with pytest.raises(UndeliveredError, match=f"says {answer[:3]}") as refusal:
        await sent(mailed(port_of(server)), message_of(alert(), Language.EN))
    assert refusal.value.may_retry is may_retry
    assert "hush" not in str(refusal.value)


async def test_a_server_that_says_nothing_is_left_in_time_and_no_thread_stays(alert):
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(UndeliveredError, match="no answer within"),
    ):
        await sent(mailed(silent.getsockname()[1], timeout_s=0.3), message_of(alert(), Language.EN))
    for thread in threading.enumerate():
        if thread.name == "orchestrator-mail":
            await asyncio.to_thread(thread.join, 30)
            assert not thread.is_alive()


async def test_over_starttls_a_password_logs_in_where_the_certificate_is_trusted(
    box, alert, certified, monkeypatch
):
    """And an untrusted one gets no password."""
    key, certificate = certified
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    passwords = []

    def log_in(server, session, envelope, mechanism, login):
        passwords.append(login.password)
        return AuthResult(success=True)

    controller = FreePort(
        box, hostname="127.0.0.1", port=0, tls_context=context, require_starttls=True, authenticator=log_in
    )
    controller.start()
    try:
        settings = mailed(
            port_of(controller), host="localhost", security="starttls", user="bot", password="hush"
        )
        with pytest.raises(UndeliveredError, match="certificate is not trusted"):
            await sent(settings, message_of(alert(), Language.EN))
        assert passwords == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        await sent(settings, message_of(alert(), Language.EN))
    finally:
        controller.stop()
    assert (passwords, len(box.mails)) == ([b"hush"], 1)


def certificate_of(folder, *, name, days):
    """Return a key and a certificate of a name, valid from `days[0]` to `days[1]` days from now."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "key.pem", folder / "cert.pem"
    paths[0].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    paths[1].write_bytes(made.public_bytes(Encoding.PEM))
    return paths


@pytest.mark.parametrize(
    ("name", "days", "told"),
    [
        ("localhost", (-9, -2), "certificate has expired"),
        ("localhost", (2, 9), "certificate is not valid yet"),
        ("mail.example", (-2, 9), "certificate is of another name; see 'host'"),
    ],
)
async def test_what_is_wrong_with_a_certificate_is_said(box, alert, tmp_path, monkeypatch, name, days, told):
    """Each was `not trusted`, and its issuer is."""
    key, certificate = certificate_of(tmp_path, name=name, days=days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    controller = FreePort(box, hostname="127.0.0.1", port=0, tls_context=context, require_starttls=True)
    controller.start()
    try:
        settings = mailed(port_of(controller), host="localhost", security="starttls")
        with pytest.raises(UndeliveredError, match=told):
            await sent(settings, message_of(alert(), Language.EN))
    finally:
        controller.stop()
    assert box.mails == []


async def test_a_server_without_tls_gets_no_password(server, box, alert):
    settings = mailed(port_of(server), security="starttls", user="bot", password="hush")
    with pytest.raises(UndeliveredError, match="STARTTLS"):
        await sent(settings, message_of(alert(), Language.EN))
    assert box.mails == []


@pytest.fixture
def raw():
    """Servers that welcome with given bytes and answer each line with given bytes, over and over."""
    opened = []

    def serve(welcome: bytes, answer: bytes = b"") -> int:
        server = socket.create_server(("127.0.0.1", 0))
        opened.append(server)

        def talk() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(welcome)
                connection.recv(100)
                while answer:
                    connection.sendall(answer)

        threading.Thread(target=talk, daemon=True).start()
        return server.getsockname()[1]

    yield serve
    for server in opened:
        server.close()


async def test_an_answer_without_an_end_is_not_kept(raw, alert):
    """The library keeps each of its lines: hundreds of megabytes in the time of one try."""
    port = raw(b"220 hi\r\n", b"250-and so on\r\n" * 100)
    with pytest.raises(UndeliveredError, match="broke"):
        await sent(mailed(port, timeout_s=5), message_of(alert(), Language.EN))


@pytest.mark.parametrize(
    ("welcome", "words", "may_retry"),
    [
        (b"421 busy\r\n", "says 421", True),
        (b"554 hush\r\n", "says 554", False),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "no SMTP", False),
    ],
)
async def test_who_does_not_welcome_is_not_spoken_to(raw, alert, welcome, words, may_retry):
    with pytest.raises(UndeliveredError, match=words) as refusal:
        await sent(mailed(raw(welcome)), message_of(alert(), Language.EN))
    assert refusal.value.may_retry is may_retry


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"security": "tls"}, "no TLS is spoken"),
        ({"host": "mail..example"}, "cannot be looked up; see 'host'"),
    ],
)
async def test_a_wrong_setting_is_told_by_its_name(server, alert, fields, words):
    with pytest.raises(UndeliveredError, match=words):
        await sent(mailed(port_of(server), **fields), message_of(alert(), Language.EN))
