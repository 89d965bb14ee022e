"""What `tocsin bench incidents` measures is what it says."""

from itertools import islice

from streams.correlation.topology import Topology, cycles
from streams.laptop.benches.incidents import LAYERS, Storm, alerts, layered
from streams.policy import Policy


def test_the_catalogue_is_as_deep_as_is_said() -> None:
    """A flat catalogue would cost nothing."""
    catalogue = layered(60)
    assert list(cycles({name: each.depends_on for name, each in catalogue.items()})) == []
    topology = Topology(catalogue)
    depths = {name: max(topology.dependencies(name).values(), default=0) for name in catalogue}
    assert max(depths.values()) == LAYERS - 1
    assert sum(depth == 0 for depth in depths.values()) == 60 // LAYERS
    assert layered(60) == catalogue


def test_a_second_places_every_alert() -> None:
    """Alerts that are left out are quick."""
    policy = Policy(services=layered(12))
    storm = Storm(policy)
    second = storm.second(list(islice(alerts(list(policy.services)), 48)))
    latest = [record.value for record in second.made if record.topic == "incidents.current"]
    assert second.alerts == 48
    assert sum(int(value.split(b'"alert_count":')[1].split(b",")[0]) for value in latest) == 48
