"""The report for CI: one suite for each file."""

import re
from xml.etree import ElementTree as ET

from streams.backtest.junit import Result, junit


def test_results_are_suites_of_cases() -> None:
    """CI systems read this form and no other."""
    assert junit(
        [
            Result("a.yaml", "a/one", 3, 0.25),
            Result("a.yaml", 'a/"two"', 9, 0.5, failure="at 1s: <firing>\n  - busy\x1b[0m"),
            Result("b.yaml", "b", 1, 0.0, error="b.yaml cannot be used:"),
            # One file is one suite, also where some of it could not be read.
            Result("a.yaml", "a/three", 12, 0.0),
        ]
    ) == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<testsuites tests="4" failures="1" errors="1" time="0.750">\n'
        '  <testsuite name="a.yaml" file="a.yaml" tests="3" failures="1" errors="0" time="0.750">\n'
        '    <testcase classname="a.yaml" name="a/one" time="0.250"/>\n'
        '    <testcase classname="a.yaml" name=\'a/"two"\' time="0.500">\n'
        '      <failure type="failure" message="at 1s: &lt;firing&gt;">a.yaml:9\nat 1s: &lt;firing&gt;\n'
        "  - busy [0m</failure>\n"
        "    </testcase>\n"
        '    <testcase classname="a.yaml" name="a/three" time="0.000"/>\n'
        "  </testsuite>\n"
        '  <testsuite name="b.yaml" file="b.yaml" tests="1" failures="0" errors="1" time="0.000">\n'
        '    <testcase classname="b.yaml" name="b" time="0.000">\n'
        '      <error type="error" message="b.yaml cannot be used:">b.yaml:1\nb.yaml cannot be used:</error>\n'
        "    </testcase>\n"
        "  </testsuite>\n"
        "</testsuites>\n"
    )


#: By the schema that Jenkins checks reports by: what an element must have, and may have besides.
MUST = {"testsuite": {"name", "tests", "failures", "errors"}, "testcase": {"name"}}
MAY = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {"time", "skipped", "timestamp", "hostname", "id", "package", "file", "group"},
    "testcase": {"time", "classname", "group"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
}
INSIDE = {"testsuites": "testsuite", "testsuite": "testcase", "testcase": "failure error"}


def test_the_report_fits_the_schema() -> None:
    """Jenkins refuses a report that has anything else, and the build with it."""
    hostile = "a\x00\ufffe]]><&\"'\n\tb"
    report = junit(
        [
            Result(hostile, "one", 1, 0.0, failure="x\ufffe\x07y"),
            Result("b.yaml", "two", 1, 1234.5, error=hostile),
            Result("b.yaml", "three", 1, 0.0),
        ]
    )
    for element in ET.fromstring(report).iter():  # noqa: S314 - our own
        given = set(element.attrib)
        assert MUST.get(element.tag, set()) <= given
        assert given <= MUST.get(element.tag, set()) | MAY[element.tag]
        assert {child.tag for child in element} <= set(INSIDE.get(element.tag, "").split())
        if "time" in given:
            assert re.fullmatch(r"\d+\.\d{3}", element.get("time", ""))
