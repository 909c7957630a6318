"""Sends one message over one channel, once: taken, or an error that says whether to try again.

No error quotes an address, a password or the receiver's words: each may be a secret.
"""

import asyncio
import contextlib
import os
import signal

from orchestrator.alerting.mail import send_mail
from orchestrator.alerting.messages import AlertMessage, body_of
from orchestrator.alerting.settings import TELEGRAM_URL, ChannelKind, ChannelSettings
from orchestrator.alerting.undelivered import UndeliveredError
from orchestrator.core.provider_answer import AttemptFailedError
from orchestrator.providers.retry_after import wait_of
from orchestrator.providers.wire.outbound import UnsendableError, WireRequest
from orchestrator.providers.wire.sessions import Sessions

_TAKEN = range(200, 300)
_REDIRECTS = range(300, 400)
_SERVER_FAULTS = range(500, 600)
_LATER = frozenset({408, 425, 429})
_WAIT_MAX_S = 300.0
_COMMAND_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")
"""What a command sees of our environment: no key of a provider."""


async def send(channel: ChannelSettings, message: AlertMessage, *, http: Sessions) -> str:
    """Send a message within the channel's time, and return what came back, for people.

    Raises:
        UndeliveredError: it was not taken; says why, and whether it may be later.
    """
    try:
        async with asyncio.timeout(channel.timeout_s):
            match channel.kind:
                case ChannelKind.EMAIL:
                    return await send_mail(channel, message)
                case ChannelKind.COMMAND:
                    return await _run(channel, message)
                case _:
                    return await _post(channel, message, http)
    except TimeoutError:
        raise UndeliveredError(f"no answer within {channel.timeout_s:g} s") from None


async def _post(channel: ChannelSettings, message: AlertMessage, http: Sessions) -> str:
    headers = {"content-type": "application/json", "user-agent": "nextflow-orchestrator"}
    headers |= {name.lower(): value.get_secret_value() for name, value in channel.headers.items()}
    request = WireRequest(_url_of(channel), headers, body_of(channel, message))
    try:
        response = await http.send(request, lambda: None)
    except UnsendableError as exc:
        raise UndeliveredError(str(exc), may_retry=False) from None
    except AttemptFailedError as exc:
        raise UndeliveredError(f"no connection, or it broke ({exc.failure.kind.value})") from None
    status = response.status
    wait_s = wait_of(str(response.headers.get("retry-after")))
    response.close()
    if status in _TAKEN:
        return f"HTTP {status}"
    if status in _REDIRECTS:
        raise UndeliveredError(
            f"HTTP {status}: redirects are not followed; write the last address", may_retry=False
        )
    if status in _SERVER_FAULTS or status in _LATER:
        raise UndeliveredError(f"HTTP {status}", wait_s=min(wait_s or 0.0, _WAIT_MAX_S))
    raise UndeliveredError(f"HTTP {status}: it refuses the message; check address and token", may_retry=False)


def _url_of(channel: ChannelSettings) -> str:
    url = channel.url.get_secret_value() if channel.url is not None else TELEGRAM_URL
    if channel.kind is ChannelKind.TELEGRAM and channel.token is not None:
        return f"{url.rstrip('/')}/bot{channel.token.get_secret_value()}/sendMessage"
    return url


async def _run(channel: ChannelSettings, message: AlertMessage) -> str:
    environment = {name: os.environ[name] for name in _COMMAND_ENVIRONMENT if name in os.environ}
    try:
        process = await asyncio.create_subprocess_exec(
            *channel.argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
    except OSError as exc:
        raise UndeliveredError(f"the command cannot be started: {exc.strerror}", may_retry=False) from None
    try:
        await process.communicate(message.as_json)
    finally:
        if process.returncode is None:
            _end(process)
            await process.wait()
    if process.returncode:
        raise UndeliveredError(f"the command ended with status {process.returncode}")
    return "status 0"


def _end(process: asyncio.subprocess.Process) -> None:
    """Kill a command that takes too long, and what it has started."""
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
