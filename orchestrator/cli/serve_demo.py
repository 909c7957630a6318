"""`orchestrator serve --demo`: the server in front of practice providers, with traffic and a key."""

from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.access.api_keys import Role, ServerKey, Token, hash_of
from orchestrator.access.key_folder import KeyFolder
from orchestrator.cli.output import write
from orchestrator.cli.session import CliSession
from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import OrchestratorError

if TYPE_CHECKING:
    from orchestrator.client import Orchestrator
    from orchestrator.core.request_fields import RequestFields

_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class _Question:
    use_case: str
    tenant: str
    text: str
    is_streamed: bool = False


_QUESTIONS = (
    _Question("customer_service", "acme", "Đơn DH1001 của tôi ở đâu?"),
    _Question("content_generation", "sao-mai", "Viết một lời chào cho khách hàng mới.", is_streamed=True),
    _Question("data_analysis", "acme", "Which region sold most in October, and why?"),
    _Question("cost_sensitive", "lotus", "Is this review positive: 'Giao hàng nhanh!'?"),
)


def serve_demo(session: CliSession, *, host: str | None, port: int | None) -> None:
    """Serve practice answers until Ctrl-C; the ledger, the cache and the key are gone at the end."""
    from orchestrator.server.serving import listening, serve_until_stopped, url_of

    with session.orchestrator(practice=True) as orchestrator:
        settings = orchestrator.config.settings.server.model_copy(
            update={
                **({} if host is None else {"host": host}),
                **({} if port is None else {"port": port}),
                "keys_path": str(Path(orchestrator.config.settings.ledger.path).parent / "server-keys"),
            }
        )
        key = _made_key(KeyFolder(settings.keys_path))
        with listening(settings) as listener:
            address = url_of(listener)
            write(f"export OPENAI_BASE_URL={address}/v1\nexport OPENAI_API_KEY={key}\n")
            write(_example(address))
            write(f"\ndashboard: {address}/dashboard#key={key}\n")
            orchestrator.begin(_traffic(orchestrator))
            serve_until_stopped(orchestrator, settings, listener)


def _made_key(folder: KeyFolder) -> Token:
    token = Token.new()
    folder.put(
        ServerKey(
            id=token.id,
            secret_hash=hash_of(token.secret),
            tenant="demo",
            name="demo",
            roles=tuple(Role),
            created_at=SystemClock().now(),
        )
    )
    return token


def _example(address: str) -> str:
    return (
        f'curl {address}/v1/chat/completions -H "Authorization: Bearer $OPENAI_API_KEY" \\\n'
        "  -H 'content-type: application/json' \\\n"
        '  -d \'{"model": "customer_service", "messages": [{"role": "user", "content": "Xin chào!"}]}\'\n'
    )


async def _traffic(orchestrator: "Orchestrator") -> None:
    """Ask one question after another, as several tenants; one that is refused is part of the picture."""
    clock = SystemClock()
    for question in cycle(_QUESTIONS):
        with suppress(OrchestratorError):
            await _ask(orchestrator, question)
        await clock.sleep(_PAUSE_S)


async def _ask(orchestrator: "Orchestrator", question: _Question) -> None:
    fields: RequestFields = {"use_case": question.use_case, "tenant": question.tenant, "cache": "off"}
    if not question.is_streamed:
        await orchestrator.acomplete(question.text, **fields)
        return
    async with orchestrator.stream(question.text, **fields) as pieces:
        async for _ in pieces:
            pass
