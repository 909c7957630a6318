"""Masking."""

import json

import pytest
from pydantic import TypeAdapter

from orchestrator.config.effective import MASK, SECTIONS_WITH_SECRETS, effective, masked, secrets_of
from orchestrator.config.schema import RootSettings


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1"),
        ("https://me:pw@host/v1", f"https://{MASK}@host/v1"),
        ("https://host/v1?api_key=abc&x=1", f"https://host/v1?api_key={MASK}&x=1"),
        ("https://host/v1?a=1&TOKEN=abc#end", f"https://host/v1?a=1&TOKEN={MASK}#end"),
        ("write to me@example.com", "write to me@example.com"),
    ],
)
def test_credentials_inside_addresses_are_masked(address, shown):
    """User, password and keys in a query disappear; everything else stays as it is."""
    assert masked(address) == shown


def test_every_secret_is_known_wherever_it_stands(make_config):
    """Kept prompts, recorded answers and refusals of a configuration are masked by them."""
    config = make_config(
        {
            "alerts": {
                "channels": {
                    "phone": {"kind": "telegram", "token": "123:telegram-token", "chat_id": "5"},
                    "team": {"kind": "slack", "url": "https://hooks.slack.com/services/of-the-team"},
                    "mail": {
                        "kind": "email",
                        "host": "mail.vn",
                        "sender": "a@b.vn",
                        "to": ["c@d.vn"],
                        "user": "crm",
                        "password": "the-mail-password",
                    },
                    "hook": {
                        "kind": "webhook",
                        "url": "https://h.vn/x",
                        "headers": {"X-Api-Key": "hook-key"},
                    },
                }
            },
            "telemetry": {
                "otlp_endpoint": "https://o.vn",
                "otlp_headers": {"Authorization": "Bearer otlp-key"},
            },
            "providers": {"openai": {"api_key": "openai-key", "headers": {"X-Title": "NextFlow CRM"}}},
        }
    )
    assert {
        *("123:telegram-token", "https://hooks.slack.com/services/of-the-team", "the-mail-password"),
        *("hook-key", "Bearer otlp-key", "otlp-key", "openai-key"),
    } <= set(secrets_of(config.settings))
    assert "NextFlow CRM" not in secrets_of(config.settings)


def test_no_other_section_has_a_field_for_a_secret():
    schemas = {
        name: json.dumps(TypeAdapter(field.annotation).json_schema())
        for name, field in RootSettings.model_fields.items()
    }
    assert sorted(SECTIONS_WITH_SECRETS) == sorted(
        n for n, schema in schemas.items() if "writeOnly" in schema
    )


def test_every_header_is_masked_whatever_it_is_called(make_config) -> None:
    """Nobody knows which header of a gateway is a key."""
    shown = effective(
        make_config(
            {
                "providers": {"openai": {"headers": {"X-Title": "NextFlow CRM", "X-Route": "eu-7"}}},
                "telemetry": {"otlp_headers": {"X-Team": "crm-7"}},
            }
        )
    )
    assert shown["providers"]["openai"]["headers"] == {"X-Title": MASK, "X-Route": MASK}
    assert shown["telemetry"]["otlp_headers"] == {"X-Team": MASK}
