"""How tables and errors are written."""

import pytest

from orchestrator.cli.output import CommandError, errors_as_json, table


def test_brackets_in_a_column_title_are_text():
    """Rich reads square brackets as markup; titles are plain."""
    assert table("input, [optional]").columns[0].header.plain == "input, [optional]"


def test_an_error_is_told_as_json_only_where_asked(capsys):
    """Without --json nothing is written to standard output."""
    for wanted in (True, False):
        with pytest.raises(CommandError), errors_as_json(wanted):
            raise CommandError("no")
        assert bool(capsys.readouterr().out) is wanted
