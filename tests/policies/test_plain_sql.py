"""Statements that differ in spelling alone are one; anything else stays apart."""

import pytest

from orchestrator.policies.plain_sql import sql_form

PLAIN = "SELECT name FROM users WHERE age >= 18"


@pytest.mark.parametrize(
    "text",
    [
        "select  name\nfrom users -- all\nwhere age>=18;",
        '```sql\nSELECT "name" FROM `users` WHERE age >= 18.0\n```',
        "SELECT name FROM users /* of age */ WHERE age >= 18 ;",
    ],
)
def test_spelling_makes_no_difference(text):
    assert sql_form(text) == sql_form(PLAIN)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT name FROM users WHERE age > 18",
        "SELECT name FROM users WHERE age >= '18'",
        'SELECT "Name of" FROM users WHERE age >= 18',
        "SELECT name FROM users WHERE city = 'hue'",
    ],
)
def test_another_statement_has_another_form(text):
    assert sql_form(text) not in {None, sql_form(PLAIN)}


def test_texts_keep_their_case():
    assert sql_form("select 'A'") != sql_form("select 'a'")


@pytest.mark.parametrize("text", ["", "Here it is: SELECT 1", "SELECT 1; DROP TABLE users", "SELECT 'open"])
def test_what_is_not_one_statement_has_none(text):
    assert sql_form(text) is None
