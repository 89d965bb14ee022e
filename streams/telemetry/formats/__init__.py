"""
Formats of telemetry, one file each.

A file has a class that is chosen by ``kind: Literal[...]``, has ``recognises`` and ``read``, and carries an example of its settings.
Files whose names begin with ``_`` are parts of the format that their names begin with.
"""
