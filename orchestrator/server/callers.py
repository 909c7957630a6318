"""Who calls: the key of a request, looked up before anything of its body is read.

Without any key the server is for this machine alone: it asks for the account `default`, and takes nothing
that a web page in somebody's browser could have sent.
"""

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Scope

from orchestrator.access.api_keys import KeyValidity, Role, ServerKey, Token
from orchestrator.access.key_folder import KeyRing
from orchestrator.access.request_rates import RequestRates
from orchestrator.access.settings import ServerSettings
from orchestrator.core.clock import Clock
from orchestrator.server.error_answers import AnswerError, ErrorAnswer

KEYLESS_TENANT = "default"
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_SCHEME = "bearer"


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose account a request is, and what it may do."""

    tenant: str
    roles: frozenset[Role]
    use_cases: frozenset[str] = frozenset()
    """Those that it may ask for; none means all, and models by name."""
    key: ServerKey | None = None

    @property
    def scopes(self) -> frozenset[str]:
        """Return the scopes whose amounts it may see."""
        own = {f"tenant:{self.tenant}"}
        return frozenset(own if self.key is None else own | {f"tag:{self.key.tag}"})


class Callers:
    """Tells who calls, and counts."""

    def __init__(self, keys: KeyRing, settings: ServerSettings, clock: Clock) -> None:
        """Begin with nobody counted."""
        self._keys = keys
        self._settings = settings
        self._clock = clock
        self._rates = RequestRates(clock)
        self._bad = RequestRates(clock)

    def caller_of(self, scope: Scope, role: Role) -> Caller:
        """Return who sent a request, and count it.

        Raises:
            AnswerError: 401 without a valid key, 403 where it may not do this, 429 too often.
        """
        headers = Headers(scope=scope)
        text = headers.get("authorization")
        if self._keys.is_empty:
            # Stock clients always send a key, if only an invented one.
            return _keyless(headers)
        address = str((scope.get("client") or ("unknown", 0))[0])
        per_min = self._settings.bad_keys_per_min
        wait_s = self._bad.wait_s(address, per_min=per_min)
        if wait_s:
            raise _limited("too many requests with a wrong key from this address", wait_s)
        key = self._key_of(text)
        if isinstance(key, str):
            self._bad.take(address, per_min=per_min)
            raise _unauthorized(key)
        return self._allowed(key, role)

    def _key_of(self, text: str | None) -> ServerKey | str:
        """Return the key of an `Authorization` header, or why it is none."""
        scheme, _, written = (text or "").partition(" ")
        if not written.strip() or scheme.lower() != _SCHEME:
            return "send a key as 'Authorization: Bearer nfk_...'; operations makes one"
        token = Token.read(written.strip())
        key = None if token is None else self._keys.find(token)
        if key is None:
            return "this key is not known here"
        state = key.state(self._clock.now())
        return key if state is KeyValidity.VALID else f"this key is {state.value}; ask operations for another"

    def _allowed(self, key: ServerKey, role: Role) -> Caller:
        wait_s = self._rates.take(key.id, per_min=key.requests_per_min or self._settings.requests_per_min)
        if wait_s:
            raise _limited("this key has used its requests of the minute", wait_s)
        if role not in key.roles:
            raise forbidden(f"this key has not the role '{role.value}'")
        return Caller(key.tenant, frozenset(key.roles), frozenset(key.use_cases), key)


def forbidden(message: str) -> AnswerError:
    """Return a 403 to raise."""
    return AnswerError(ErrorAnswer(403, message, "not_allowed", "permission_error"))


def _keyless(headers: Headers) -> Caller:
    # A page of any site may send to this machine, by a name of its own that leads here.
    host = headers.get("host", "")
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    if name.strip("[]").lower() not in LOOPBACK_NAMES or "origin" in headers:
        raise forbidden(
            "without keys this server is for programs on its own machine; make one: orchestrator keys make"
        )
    return Caller(KEYLESS_TENANT, frozenset(Role))


def _unauthorized(message: str) -> AnswerError:
    return AnswerError(
        ErrorAnswer(401, message, "invalid_api_key", "authentication_error",
                    headers={"www-authenticate": "Bearer"})
    )  # fmt: skip


def _limited(message: str, wait_s: float) -> AnswerError:
    return AnswerError(
        ErrorAnswer(429, f"{message}; ask again in {wait_s:.1f} s", "rate_limit_exceeded", "rate_limit_error",
                    retry_after_s=wait_s)
    )  # fmt: skip
