"""Faults in other systems' documents name the field and quote nothing."""

import pytest

from schemas.contract import Unreadable
from schemas.telemetry import MetricV1
from streams.telemetry.documents import Part, made, read_document


class _Inner(Part):
    name: str
    size: int = 0


class _Outer(Part):
    inner: list[_Inner]
    by_name: dict[str, int] = {}  # noqa: RUF012


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"{", "doc: is not JSON: it ends too soon"),
        (b"\xff", "doc: is not JSON"),
        (b'"\\ud800', "doc: is not JSON: it ends too soon"),
        (b"[" * 100_000, "doc: expected object, got array"),
        (b'{"x":' + b"[" * 100_000, "doc: is nested too deep"),
        (b"{}", "doc.inner: is missing"),
        (b'{"inner":[{"name":1}]}', "doc.inner[0].name: expected str, got int"),
        (b'{"inner":[{"name":"a"},{}]}', "doc.inner[1].name: is missing"),
        (b'{"inner":[],"by_name":{"hunter2":"x"}}', "doc.by_name[...]: expected int, got str"),
    ],
)
def test_a_fault_is_said_in_one_line(value, said):
    with pytest.raises(Unreadable) as refusal:
        read_document(_Outer, value, "doc")
    assert str(refusal.value) == said


def test_lax_takes_numbers_that_are_written_as_texts():
    assert read_document(_Inner, b'{"name":"a","size":"7"}', lax=True).size == 7
    with pytest.raises(Unreadable, match=r"^size: expected int, got str$"):
        read_document(_Inner, b'{"name":"a","size":"7"}')


def test_a_signal_that_cannot_be_says_where_it_stood():
    with pytest.raises(Unreadable, match=r"^metrics\[3\]: name: string should have at most 128"):
        made(
            MetricV1,
            "metrics[3]",
            occurred_at="2024-03-01T00:00:00Z",
            service="shop",
            name="n" * 129,
            value=1,
        )
