"""What other systems' words of urgency mean here."""

import pytest

from streams.telemetry.severities import SYSLOG, alert_severity, level


def test_syslog_is_as_opentelemetrys_logs_data_model_says():
    """Appendix B: emergency FATAL, alert ERROR3, critical ERROR2, error, warning, notice INFO2, informational, debug."""
    assert SYSLOG == (21, 19, 18, 17, 13, 10, 9, 5)


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("critical", 1),
        ("Page", 1),
        ("P1", 1),
        ("high", 2),
        ("error", 2),
        (" warning ", 3),
        ("P3", 3),
        ("info", 4),
        ("none", None),
        ("", None),
    ],
)
def test_words_of_alerts(word, severity):
    assert alert_severity(word) == severity


def test_ones_own_words_come_first():
    assert alert_severity("Critical", {"critical": 2}) == 2
    assert alert_severity("ticket", {"ticket": 4}) == 4


def test_words_of_levels():
    assert [level(word) for word in ("DEBUG", "Information", "warn", "Fatal", "?")] == [
        5,
        9,
        13,
        21,
        9,
    ]


def test_opentelemetrys_own_names_of_levels_have_steps():
    """Logs Data Model, "Displaying Severity"."""
    named = [f"{name}{step}" for name in ("trace", "WARN", "ERROR") for step in ("", 2, 3, 4)]
    assert [level(each) for each in named] == [1, 2, 3, 4, *range(13, 21)]
    assert level("level 2") == 9
