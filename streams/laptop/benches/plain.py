"""
A plain Faust agent that applies one rule and counts in a table: what detection is compared with.

``python -m streams.laptop.benches.plain BROKER TOPIC RECORDS`` prints the events per second of RECORDS records, and ends.
"""

import os
import sys
import time
from typing import Any

import faust
import orjson

from streams.agents.app import credentials
from streams.settings import read_settings


def main() -> None:
    """Run the agent until it has seen what it was asked to."""
    broker, topic, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
    app = faust.App(
        f"bench-plain-{os.getpid()}",
        broker=f"kafka://{broker}",
        broker_credentials=credentials(read_settings(broker=broker)),
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
        worker_redirect_stdouts=False,
        topic_partitions=int(sys.argv[4]),
    )
    source = app.topic(topic, value_type=bytes, value_serializer="raw", key_serializer="raw")
    above: Any = app.Table("above", default=int)
    seen, began = 0, 0.0

    @app.agent(source)  # type: ignore[untyped-decorator]  # Faust has no types.
    async def count(stream: Any) -> None:
        nonlocal seen, began
        async for value in stream:
            said = orjson.loads(value)
            if said["value"] > 0:
                above[said["service"]] += 1
            seen += 1
            if seen == 1:
                began = time.perf_counter()
            if seen == wanted:
                print("\n", (wanted - 1) / (time.perf_counter() - began), flush=True)  # noqa: T201 - what it is for
                os._exit(0)

    faust.Worker(app, loglevel="ERROR", quiet=True).execute_from_commandline()


if __name__ == "__main__":
    main()
