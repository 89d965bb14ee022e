"""
Formats of telemetry, one file each.

A file has a class that is chosen by ``kind: Literal[...]``, has ``recognises`` and ``read``, and carries an example of what it is for.
"""
