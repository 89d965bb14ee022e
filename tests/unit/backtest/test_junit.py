"""The report for CI: one suite for each file."""

from streams.backtest.junit import Result, junit


def test_results_are_suites_of_cases() -> None:
    """CI systems read this form and no other."""
    assert junit(
        [
            Result("a.yaml", "a/one", 3, 0.25),
            Result("a.yaml", 'a/"two"', 9, 0.5, failure="at 1s: <firing>\n  - busy\x1b[0m"),
            Result("b.yaml", "b", 1, 0.0, error="b.yaml cannot be used:"),
        ]
    ) == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<testsuites tests="3" failures="1" errors="1" time="0.750">\n'
        '  <testsuite name="a.yaml" tests="2" failures="1" errors="0" time="0.750">\n'
        '    <testcase classname="a.yaml" name="a/one" file="a.yaml" line="3" time="0.250"/>\n'
        '    <testcase classname="a.yaml" name=\'a/"two"\' file="a.yaml" line="9" time="0.500">\n'
        '      <failure message="at 1s: &lt;firing&gt;">at 1s: &lt;firing&gt;\n'
        "  - busy [0m</failure>\n"
        "    </testcase>\n"
        "  </testsuite>\n"
        '  <testsuite name="b.yaml" tests="1" failures="0" errors="1" time="0.000">\n'
        '    <testcase classname="b.yaml" name="b" file="b.yaml" line="1" time="0.000">\n'
        '      <error message="b.yaml cannot be used:">b.yaml cannot be used:</error>\n'
        "    </testcase>\n"
        "  </testsuite>\n"
        "</testsuites>\n"
    )
