"""
What the engine itself refuses.

The embedded engine reads the same two configuration files as a ClickHouse server. They confine it to one
database, one gigabyte and no source outside its folder, and turn off background work that one machine has no use for.
"""

from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from streams.laptop.warehouse.statements import DATABASE

MEMORY_BYTES: Final = 1 << 30
QUERY_MEMORY_BYTES: Final = 512 << 20
RESULT_BYTES: Final = 64 << 20
QUERY_SECONDS: Final = 60
LONGEST_QUERY_SECONDS: Final = 300
#: Statements at work at once; the machine's own work goes on beside them.
THREADS: Final = 4

_SERVER: Final = """\
<clickhouse>
  <users_config>{users}</users_config>
  <max_server_memory_usage>{memory}</max_server_memory_usage>
  <mark_cache_size>33554432</mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <background_pool_size>1</background_pool_size>
  <background_schedule_pool_size>1</background_schedule_pool_size>
  <!-- These threads wake by themselves: rarely is enough for a database that idles. -->
  <memory_worker_period_ms>1000</memory_worker_period_ms>
  <asynchronous_metrics_update_period_s>3600</asynchronous_metrics_update_period_s>
  <user_files_path>{nothing}</user_files_path>
  <format_schema_path>{nothing}</format_schema_path>
  <dictionaries_lib_path>{nothing}</dictionaries_lib_path>
  <user_scripts_path>{nothing}</user_scripts_path>
  <merge_tree>
    <!-- An acknowledged row has left the page cache: a power cut loses none. -->
    <fsync_after_insert>1</fsync_after_insert>
    <fsync_part_directory>1</fsync_part_directory>
  </merge_tree>
</clickhouse>
"""

_USERS: Final = """\
<clickhouse>
  <profiles>
    <default>
      {defaults}
      <constraints>
        {constraints}
      </constraints>
    </default>
  </profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password/>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants>
        {grants}
      </grants>
    </default>
  </users>
</clickhouse>
"""

_DEFAULTS: Final = {
    "max_memory_usage": QUERY_MEMORY_BYTES,
    "max_result_bytes": RESULT_BYTES,
    "max_execution_time": QUERY_SECONDS,
    "max_threads": 2,
    # An insert is acknowledged when its rows are stored, not when they are queued.
    "async_insert": 0,
    # A value is a value: expressions in inserted rows would be statements that nobody examined.
    "input_format_values_interpret_expressions": 0,
    "input_format_values_deduce_templates_of_expressions": 0,
}

#: Lowest and highest value that a request may ask for; zero would mean without limit.
_BOUNDS: Final = {
    "max_memory_usage": (1, QUERY_MEMORY_BYTES),
    "max_result_bytes": (1, RESULT_BYTES),
    "max_execution_time": (1, LONGEST_QUERY_SECONDS),
    "max_threads": (1, 4),
    "max_block_size": (1, 1 << 17),
    "max_insert_block_size": (1, 1 << 21),
}

#: Only ever the value above.
_FIXED: Final = (
    "input_format_values_interpret_expressions",
    "input_format_values_deduce_templates_of_expressions",
    "dialect",
    "allow_introspection_functions",
    "additional_result_filter",
    "additional_table_filters",
    "format_schema",
    "output_format_schema",
    "input_format_record_errors_file_path",
    "max_memory_usage_for_user",
)

_GRANTS: Final = (
    f"GRANT SHOW, SELECT, INSERT, OPTIMIZE ON {DATABASE}.*",
    f"GRANT ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW ON {DATABASE}.*",
    "GRANT SELECT ON system.*",
    "GRANT SELECT ON information_schema.*",
    "GRANT SELECT ON INFORMATION_SCHEMA.*",
    # What the harmless table functions (numbers, values) ask for.
    "GRANT CREATE TEMPORARY TABLE ON *.*",
)


def write_configuration(folder: Path) -> Path:
    """Write both files into *folder* and return the server's, which names the other."""
    folder.mkdir(parents=True, exist_ok=True)
    users = folder / "users.xml"
    users.write_text(
        _USERS.format(
            defaults="\n      ".join(
                f"<{name}>{value}</{name}>" for name, value in _DEFAULTS.items()
            ),
            constraints="\n        ".join(
                [
                    *(
                        f"<{name}><min>{low}</min><max>{high}</max></{name}>"
                        for name, (low, high) in _BOUNDS.items()
                    ),
                    *(f"<{name}><const/></{name}>" for name in _FIXED),
                ]
            ),
            grants="\n        ".join(f"<query>{grant}</query>" for grant in _GRANTS),
        )
    )
    server = folder / "server.xml"
    server.write_text(
        _SERVER.format(
            users=escape(str(users)),
            memory=MEMORY_BYTES,
            # A folder that is never made: paths in statements lead nowhere.
            nothing=escape(str(folder / "nothing") + "/"),
        )
    )
    return server
