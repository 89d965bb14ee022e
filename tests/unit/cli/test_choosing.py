"""What is answered to a subcommand that does not exist."""

import pytest
from click.testing import CliRunner

from streams.__main__ import main


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("incidnt", "there is no command 'incidnt'; did you mean 'incident'?"),
        ("report trend", "there is no command 'trend'; did you mean 'trends'?"),
        ("policy", None),
        (
            "policy reload",
            "there is no command 'reload'; there are diff, log, publish, rollback, show",
        ),
    ],
)
def test_an_unknown_subcommand_is_answered_with_what_there_is(typed, answer):
    """A person would have to ask for help, and read all of it, for a letter too few."""
    said = CliRunner().invoke(main, typed.split())

    assert said.exit_code == 2
    assert answer is None or f"Error: {answer}\n" in said.output
