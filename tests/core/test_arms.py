"""The side of a request stands in the tags of its row, and is read from them again."""

import pytest

from orchestrator.core.arms import Arm, ArmKind, ArmTags, Preferred, read_tags, sides

LABEL = "faq@1a2b3c4d"


@pytest.mark.parametrize("kind", ArmKind)
@pytest.mark.parametrize("passed", [None, True, False])
def test_what_is_written_is_read(kind, passed):
    shadow_of = "0193ab" if kind is ArmKind.SHADOW else None
    preferred = Preferred.LIVE if kind is ArmKind.JUDGE else None
    tags = Arm(LABEL, kind, "drawn", "c", shadow_of=shadow_of, preferred=preferred).tags(passed=passed)
    assert read_tags(("mine", *tags), LABEL) == ArmTags(kind, passed, shadow_of, preferred)
    assert read_tags(tags, "faq@ffffffff") is None
    assert sides(("mine", *tags)) == (("faq", kind),)


def test_tags_of_others_say_nothing():
    assert read_tags(("live", "arm", f"arm:{LABEL}:of:1"), LABEL) is None
    assert sides(("arm:", "arm:x", "arm:x:y", "live")) == ()
