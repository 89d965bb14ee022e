"""The engine's configuration, and the server's beside it."""

from pathlib import Path
from xml.etree import ElementTree as ET

from streams.laptop.warehouse.confinement import write_configuration

DEPLOYED = Path(__file__).parents[3] / "deploy" / "clickhouse"


def _read(path: Path) -> ET.Element:
    return ET.parse(path).getroot()  # noqa: S314 - our own files


def _grants(tree: ET.Element, user: str) -> list[str]:
    return [str(query.text) for query in tree.findall(f"users/{user}/grants/query")]


def test_the_configuration_is_xml_that_names_its_own_folder(tmp_path: Path) -> None:
    """A folder with an ampersand in its name would break the engine's start."""
    folder = tmp_path / "a & b"

    server = _read(write_configuration(folder))

    assert server.findtext("users_config") == str(folder / "users.xml")
    assert not Path(str(server.findtext("user_files_path"))).exists()


def test_no_limit_can_be_lifted(tmp_path: Path) -> None:
    """Zero means without limit."""
    write_configuration(tmp_path)
    users = _read(tmp_path / "users.xml")

    for limit in ("max_memory_usage", "max_result_bytes", "max_execution_time"):
        default = int(str(users.findtext(f"profiles/default/{limit}")))
        lowest = int(str(users.findtext(f"profiles/default/constraints/{limit}/min")))
        highest = int(str(users.findtext(f"profiles/default/constraints/{limit}/max")))
        assert 0 < lowest <= default <= highest


def test_a_server_grants_what_the_embedded_engine_grants(tmp_path: Path) -> None:
    """What works on a laptop would fail in production."""
    write_configuration(tmp_path)
    embedded = _read(tmp_path / "users.xml")
    deployed = _read(DEPLOYED / "users.d" / "tocsin.xml")

    assert _grants(deployed, "tocsin") == _grants(embedded, "default")


def test_a_server_has_no_user_without_a_password() -> None:
    """Whoever reaches the port would read the history."""
    users = _read(DEPLOYED / "users.d" / "tocsin.xml").find("users")

    assert users is not None
    for user in users:
        password = user.find("password")
        assert user.get("remove") == "remove" or (
            password is not None and str(password.get("from_env")).endswith("_PASSWORD")
        )
