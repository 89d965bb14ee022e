"""Asks the demo's warehouse as an analyst would: with clickhouse-connect and with curl, as the user who may only read."""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError

from streams.errors import Unavailable
from streams.laptop.warehouse.authentication import User, read_passwords
from streams.settings import Settings

_WITHIN: Final = timedelta(seconds=10)

_COUNTS: Final = """
SELECT 'steps' AS what, count() AS rows FROM incident_timeline WHERE incident_id = {incident:String}
UNION ALL
SELECT 'notices', count() FROM notices FINAL WHERE incident_id = {incident:String}
UNION ALL
SELECT 'receipts', count() FROM receipts FINAL WHERE incident_id = {incident:String}
UNION ALL
SELECT 'alerts', count() FROM alert_transitions
"""
_TIMES: Final = """
SELECT severity, severity_name, status, ttd_seconds, tta_seconds, ttr_seconds
FROM incidents_now WHERE incident_id = {incident:String}
"""
#: What curl asks, and what people can copy.
BY_SEVERITY: Final = "SELECT * FROM mttr_by_severity"


class History:
    """The warehouse of one installation."""

    def __init__(self, settings: Settings, passwords: Path) -> None:
        address = urlsplit(settings.warehouse.get_secret_value())
        self._host = address.hostname or "127.0.0.1"
        self._port = address.port or 8123
        self._database = address.path.strip("/") or "default"
        self._passwords = passwords

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://{self._host}:{self._port}"

    async def counts(self, incident_id: str) -> dict[str, int]:
        """Return how many rows there are of each kind about an incident."""
        rows = await self._select(_COUNTS, {"incident": incident_id})
        return {str(row["what"]): int(row["rows"]) for row in rows}

    async def times(self, incident_id: str) -> Mapping[str, Any] | None:
        """Return an incident's severity, status and durations; None where it has no row."""
        rows = await self._select(_TIMES, {"incident": incident_id})
        return rows[0] if rows else None

    async def by_severity(self) -> Sequence[Mapping[str, Any]]:
        """Return the table that people are shown how to ask for."""
        return await self._select(BY_SEVERITY, {})

    def by_curl(self) -> str:
        """Return the command by which anybody on this machine who may read the passwords can ask."""
        return (
            f'curl -sS --user "$(grep ^{User.READER}: {self._passwords})" '
            f"'{self.address}/?database={self._database}' --data-binary '{BY_SEVERITY} FORMAT TSVWithNames'"
        )

    def by_python(self) -> str:
        """Return the lines of Python that ask the same."""
        return (
            "client = clickhouse_connect.get_client("
            f"host={self._host!r}, port={self._port}, username={User.READER.value!r}, "
            f"password=…, database={self._database!r})\n"
            f"client.query({BY_SEVERITY!r}).named_results()"
        )

    async def ask_by_curl(self) -> str | None:
        """
        Run the command of ``by_curl`` and return what it printed; None where there is no curl.

        Raises:
            Unavailable: It failed; the text repeats what it said.
        """
        if shutil.which("curl") is None:
            return None
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", f"{self.by_curl()} --fail-with-body --max-time {_WITHIN.seconds}"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        if process.returncode:
            message = (
                f"curl ended with {process.returncode}: {output.decode(errors='replace')[:500]}"
            )
            raise Unavailable(message)
        return output.decode()

    async def _select(self, statement: str, parameters: dict[str, Any]) -> Sequence[dict[str, Any]]:
        return await asyncio.to_thread(self._query, statement, parameters)

    def _query(self, statement: str, parameters: dict[str, Any]) -> Sequence[dict[str, Any]]:
        password = read_passwords(self._passwords)[User.READER].get_secret_value()
        try:
            client = clickhouse_connect.get_client(
                host=self._host,
                port=self._port,
                username=User.READER.value,
                password=password,
                database=self._database,
                connect_timeout=_WITHIN.seconds,
                send_receive_timeout=_WITHIN.seconds,
            )
            try:
                return list(client.query(statement, parameters=parameters).named_results())
            finally:
                client.close()
        except ClickHouseError as error:
            message = (
                f"the warehouse at {self.address} did not answer: {type(error).__name__}: {error}"
            )
            raise Unavailable(message[:500]) from None
