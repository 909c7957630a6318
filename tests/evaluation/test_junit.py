"""JUnit XML that a CI server can parse, whatever a model wrote."""

import xml.etree.ElementTree as ET

from orchestrator.evaluation.case import Answer, Score, ScoredRow
from orchestrator.evaluation.junit import junit
from orchestrator.evaluation.summary import standings
from tests.evaluation.conftest import row, scored


def test_a_suite_for_each_subject_and_a_case_for_each_row():
    hung = ScoredRow(row("c"), "y", Answer(text="x"), {"label": Score(None, "it hung")})
    results = [
        scored("a", "x", 1.0),
        scored("c", "x", 1.0),
        scored("a", "y", 0.0, text='\x1b[31m<&"\ufffe\x9b2J\u202e\x00'),
        hung,
    ]
    root = ET.fromstring(junit(results, standings(results), min_score=0.9))  # noqa: S314 -- our own
    x, y = root.findall("testsuite")
    assert (x.get("tests"), x.get("failures"), x.get("errors")) == ("3", "0", "0")
    assert (y.get("tests"), y.get("failures"), y.get("errors")) == ("3", "2", "1")
    assert y.find("testcase[@name='a']/failure").text == '\\x1b[31m<&"\ufffd\\x9b2J\\u202e\\x00'
    assert y.find("testcase[@name='c']/error").get("message") == "label: it hung"
    assert "at least 0.9" in y.find("testcase[@name='mean score']/failure").get("message")
