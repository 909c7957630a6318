"""A page in Vietnamese says every kind that the ledger keeps in Vietnamese."""

from orchestrator.core.failures import FailureKind
from orchestrator.core.language import Language
from orchestrator.core.plan import ReasonKind
from orchestrator.core.reply import CacheState, CostSource
from orchestrator.server.dashboard.kinds import KINDS_VI, kind_in


def test_every_kind_has_its_vietnamese_words():
    kinds = {kind.value for of in (FailureKind, ReasonKind, CostSource, CacheState) for kind in of}
    assert kinds | {"degraded"} == KINDS_VI.keys()
    assert all(KINDS_VI.values())


def test_a_kind_of_another_version_stands_as_it_is():
    assert kind_in("too_new", Language.VI) == kind_in("too_new", Language.EN) == "too new"
    assert kind_in("too_dear", Language.EN) == "too dear"
