"""`orchestrator keys`: who may ask a server: keys are made, listed and revoked."""

from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from orchestrator.access.api_keys import Role, ServerKey, Token, hash_of
from orchestrator.access.key_folder import KeyFolder
from orchestrator.cli.options import AsJson
from orchestrator.cli.output import CommandError, err, errors_as_json, out, print_json, table, write
from orchestrator.cli.session import session_of
from orchestrator.core.clock import SystemClock
from orchestrator.core.moments import duration_of
from orchestrator.core.names import name_of

if TYPE_CHECKING:
    from datetime import datetime

    from orchestrator.config.loader import Config

app = typer.Typer(
    help="Make, list and revoke the keys of 'orchestrator serve'; a running server knows within a second.",
    no_args_is_help=True,
)


@app.command()
def make(  # noqa: PLR0913, PLR0917 -- an argument for each option
    context: typer.Context,
    tenant: Annotated[str, typer.Option(help="On whose account its requests are; it can name no other.")],
    name: Annotated[str, typer.Option(help="Where it is used, for people.")] = "",
    use_cases: Annotated[
        list[str] | None, typer.Option("--use-case", help="May ask for this use case; may be repeated.")
    ] = None,
    roles: Annotated[
        list[Role] | None, typer.Option("--role", help="May be repeated; call where none is named.")
    ] = None,
    expires: Annotated[str | None, typer.Option(help="Such as 90d, 12h or 30m; without it, never.")] = None,
    requests_per_min: Annotated[
        int | None, typer.Option(min=1, help="Its own limit; without it, server.requests_per_min.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it: this once, for it is not kept."""
    with errors_as_json(as_json):
        config = session_of(context).config()
        now = SystemClock().now()
        token = Token.new()
        key = ServerKey(
            id=token.id,
            secret_hash=hash_of(token.secret),
            tenant=name_of(tenant, "tenant"),
            name=name_of(name, "name") if name else "",
            roles=tuple(dict.fromkeys(roles or [Role.CALL])),
            created_at=now,
            use_cases=tuple(config.use_case_named(use_case) for use_case in use_cases or ()),
            requests_per_min=requests_per_min,
            expires_at=None if expires is None else _moment_after(now, expires),
        )
        _folder(config).put(key)
    if as_json:
        print_json({"key": str(token), **_plain(key, now)})
        return
    write(f"{token}\n")
    err().print(
        f"Key {key.id} of tenant {key.tenant}. It is shown this once. A limit for it in config.yaml: "
        f"budgets.limits, scope 'tag:{key.tag}'.",
        markup=False,
        soft_wrap=True,
    )


@app.command("list")
def show_keys(context: typer.Context, as_json: AsJson = False) -> None:
    """List the keys, revoked and expired ones too."""
    with errors_as_json(as_json):
        config = session_of(context).config()
        folder = _folder(config)
        keys, damaged = folder.read()
    now = SystemClock().now()
    ordered = sorted(keys.values(), key=lambda key: key.created_at)
    if as_json:
        print_json({"keys": [_plain(key, now) for key in ordered], "damaged": list(damaged)})
        return
    rows = table("id", "tenant", "name", "state", "roles", "use cases", "expires", folded=("name",))
    zone = ZoneInfo(config.settings.budgets.time_zone)
    for key in ordered:
        expires = "never" if key.expires_at is None else f"{key.expires_at.astimezone(zone):%Y-%m-%d %H:%M}"
        use_cases = ", ".join(key.use_cases) or "all"
        rows.add_row(
            key.id, key.tenant, key.name, key.state(now).value, ", ".join(key.roles), use_cases, expires
        )
    if ordered:
        out().print(rows)
    else:
        out().print("no keys: make one with 'orchestrator keys make --tenant NAME'", soft_wrap=True)
    for name in damaged:
        err().print(f"damaged, and no key: {folder.path / name}", markup=False, soft_wrap=True)


@app.command()
def revoke(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(help="The id of the key, as 'keys list' shows it.")],
    as_json: AsJson = False,
) -> None:
    """Revoke a key for good; requests under way with it still end."""
    with errors_as_json(as_json):
        now = SystemClock().now()
        key = _folder(session_of(context).config()).revoke(key_id, at=now)
    if as_json:
        print_json(_plain(key, now))
        return
    write(f"key {key.id} of tenant {key.tenant} is revoked\n")


def _folder(config: "Config") -> KeyFolder:
    return KeyFolder(config.settings.server.keys_path)


def _moment_after(now: "datetime", duration: str) -> "datetime":
    valid_for = duration_of(duration)
    if not valid_for:
        raise CommandError(f"--expires '{duration}': write a number with d, h or m, such as 90d")
    return now + valid_for


def _plain(key: ServerKey, now: "datetime") -> dict[str, Any]:
    return {
        "id": key.id,
        "tenant": key.tenant,
        "name": key.name,
        "state": key.state(now).value,
        "roles": list(key.roles),
        "use_cases": list(key.use_cases),
        "requests_per_min": key.requests_per_min,
        "created_at": key.created_at.isoformat(),
        "expires_at": None if key.expires_at is None else key.expires_at.isoformat(),
        "revoked_at": None if key.revoked_at is None else key.revoked_at.isoformat(),
        "scope": f"tag:{key.tag}",
    }
