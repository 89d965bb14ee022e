"""The service catalogue as a graph: distances, ways, causes and cycles."""

import pytest

from streams.correlation.catalogue import Service
from streams.correlation.topology import Topology, cycles


def graph(**edges: list[str]) -> Topology:
    return Topology({name: Service(depends_on=needs) for name, needs in edges.items()})


CHAIN = graph(web=["api", "cdn"], api=["orders"], orders=["database"], cdn=[], database=[])


def test_dependencies_are_followed_and_counted() -> None:
    assert dict(CHAIN.dependencies("web")) == {"api": 1, "cdn": 1, "orders": 2, "database": 3}
    assert dict(CHAIN.dependants("database")) == {"orders": 1, "api": 2, "web": 3}
    assert dict(CHAIN.dependencies("unknown")) == {}
    assert CHAIN.path("web", "database") == "web → api → orders → database"


def test_of_two_ways_the_shorter_is_shown() -> None:
    both = graph(web=["api", "database"], api=["database"], database=[])
    assert both.path("web", "database") == "web → database"


@pytest.mark.parametrize(
    ("failing", "service", "score"),
    [
        ({"web", "api", "database"}, "database", 1.0),
        ({"web", "api"}, "api", 1.0),
        # A service in the middle that is silent does not hide what is below it.
        ({"web", "database"}, "database", 1.0),
        ({"web", "cdn", "api", "orders"}, "orders", 0.75),
        ({"web", "api", "stranger"}, "api", 2 / 3),
    ],
)
def test_the_deepest_failing_dependency_is_the_cause(
    failing: set[str], service: str, score: float
) -> None:
    cause = CHAIN.cause(failing)
    assert cause is not None
    assert (cause.service, cause.score) == (service, score)


@pytest.mark.parametrize("failing", [set(), {"database"}, {"cdn", "database"}, {"x", "y"}])
def test_where_nothing_explains_anything_there_is_no_cause(failing: set[str]) -> None:
    assert CHAIN.cause(failing) is None


def test_cycles_are_found_once() -> None:
    assert list(cycles({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]})) == [["a", "b", "c", "a"]]
    assert list(cycles({"a": ["a"]})) == [["a", "a"]]
    assert list(cycles({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []})) == []
