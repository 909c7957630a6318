"""What an answer must be is decided without a model, and a reason never quotes the answer."""

import pytest

from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.core.reply import Usage
from orchestrator.policies.checks import why_failed
from orchestrator.policies.settings import CheckSettings

MESSAGES = [{"role": "user", "content": "Nguồn [1]: giờ mở cửa. Nguồn [2]: giá."}]
SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}


def reason(text, **check):
    answer = ProviderAnswer(text, (), "stop", Usage(), None, None)
    return why_failed(answer, [CheckSettings(**check)], messages=MESSAGES)


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        ({"json_schema": SCHEMA}, '```json\n{"n": 1}\n```', '{"n": "secret"}'),
        ({"labels": ["yes", "no"]}, "Yes.", "secret"),
        ({"min_chars": 5}, "enough", "s"),
        ({"max_chars": 5}, "short", "secret words"),
        ({"language": "vi"}, "Cửa hàng mở cửa lúc tám giờ sáng.", "The secret shop opens at eight."),
        ({"language": "en"}, "The shop opens at eight.", "Cửa hàng bí mật mở cửa lúc tám giờ."),
        ({"citation": True}, "Mở lúc 8 giờ [1].", "Mở lúc 8 giờ [secret]."),
        ({"citation": True}, "Giá 5 [1][2].", "secret"),
    ],
)
def test_a_check_lets_the_good_pass_and_names_what_is_wrong(check, good, bad):
    assert reason(good, **check) is None
    why = reason(bad, **check)
    assert why
    assert "secret" not in why
